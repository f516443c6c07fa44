/** Where a Python package index keeps a wheel (the Simple API of PEP 503 and PEP 691, as JSON or as a page). */

/** The index that is asked when none is named. */
const publicIndex = "https://pypi.org/simple";

/** The index to ask: the one named, that of pip's own setting, else the public one. */
export const indexUrl = (named?: string): string =>
  (named ?? process.env.PIP_INDEX_URL ?? publicIndex).replace(/\/+$/, "");

/**
 * The address of a package's file.
 *
 * @throws Error when the index cannot be reached, or has no such file.
 */
export async function fileUrl(index: string, package_: string, file: string, signal?: AbortSignal): Promise<string> {
  const page = `${index}/${package_}/`;
  let answer: Response;
  try {
    const headers = { accept: "application/vnd.pypi.simple.v1+json, text/html;q=0.5" };
    answer = await fetch(page, { headers, ...(signal && { signal }) });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Error(
      `gpu install: a package index that answers is required, got none at ${index} (${told(cause)}); ${ways}`,
      {
        cause,
      },
    );
  }
  if (!answer.ok)
    throw new Error(`gpu install: a package index is required, got ${answer.status} from ${page}; ${ways}`);
  const text = await answer.text();
  const isJson = /\bjson\b/.test(answer.headers.get("content-type") ?? "");
  const found = isJson ? inJson(text, file) : inPage(text, file);
  if (found === undefined) throw new Error(`gpu install: ${file} is required, and ${page} does not list it; ${ways}`);
  return new URL(found, answer.url || page).href;
}

const ways =
  "name another with --index, or bring the wheels in a folder: --from <folder>, where `thalweg gpu install --list` says which";

function inJson(text: string, file: string): string | undefined {
  const { files } = JSON.parse(text) as {
    readonly files: readonly { readonly filename: string; readonly url: string }[];
  };
  return files.find(({ filename }) => filename === file)?.url;
}

function inPage(text: string, file: string): string | undefined {
  for (const [, href, name] of text.matchAll(/<a\b[^>]*\bhref="([^"]+)"[^>]*>([^<]+)<\/a>/g))
    if (name!.trim() === file) return href!.replaceAll("&amp;", "&").replace(/#.*$/, "");
  return undefined;
}

/** What went wrong on the way, in a line. */
export const told = (cause: unknown): string => {
  const error = cause as Error & { readonly cause?: Error };
  return error.cause?.message ? `${error.message}: ${error.cause.message}` : error.message;
};
