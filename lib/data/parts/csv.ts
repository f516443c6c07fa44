/** Looks at a CSV file before it is read. */

/**
 * The names of the columns in the first line.
 *
 * @throws RangeError for a file without a row, a row with more or fewer values than there are names, and a name that comes twice: the values
 * would be taken for those of another column.
 */
export function csvNames(text: string, where: string): readonly string[] {
  const rows = records(text);
  const names = rows.next().value;
  if (names === undefined)
    throw new RangeError(`${where}: a line of names and a row of values are required, got nothing`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new RangeError(`${where}: a name of its own for each column is required, got ${JSON.stringify(twice)} twice`);
  let row = 0;
  for (const values of rows) {
    const empty = values.length === 1 && values[0] === "";
    if (!empty && values.length !== names.length)
      throw new RangeError(
        `${where}: ${names.length} values in every row are required, got ${values.length} in row ${row}; values with a comma stand in quotes`,
      );
    row++;
  }
  if (row === 0) throw new RangeError(`${where}: at least one row of values is required, got none`);
  return names;
}

/** The records of a CSV text (RFC 4180): values between commas; in quotes they may have commas, line ends, and quotes twice. */
function* records(text: string): Generator<string[], undefined> {
  let [at, values] = [0, [] as string[]];
  while (at < text.length) {
    let value = "";
    if (text[at] === '"') {
      let end = at + 1;
      while (end < text.length && (text[end] !== '"' || text[end + 1] === '"')) end += text[end] === '"' ? 2 : 1;
      value = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      const start = at;
      while (at < text.length && text[at] !== "," && text[at] !== "\n" && text[at] !== "\r") at++;
      value = text.slice(start, at);
    }
    values.push(value);
    if (text[at] === ",") {
      at++;
      if (at === text.length) values.push("");
      continue;
    }
    if (text[at] === "\r" && text[at + 1] === "\n") at++;
    at++;
    yield values;
    values = [];
  }
  if (values.length > 0) yield values;
}
