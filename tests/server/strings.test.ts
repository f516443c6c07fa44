/** Every string that enters a page, with what would end a script, an attribute or a tag: nothing of it becomes markup. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scriptJson } from "../../kernel/html.ts";
import type { Notebook } from "../../kernel/notebook/nbformat.ts";
import { notebookPage } from "../../kernel/notebook/page.ts";
import { emptyPage, serve, temporary } from "./support.ts";

const evil = {
  "the end of a script": `</script><script>pwned()</script>`,
  "in capitals and with spaces": `</SCRIPT ><SCRIPT>pwned()</SCRIPT>`,
  "the begin of a comment": `<!--<script>pwned()`,
  "the end of an attribute": `" onmouseover="pwned()" x="`,
  "of another": `' onmouseover='pwned()' x='`,
  "a picture": `<img src=x onerror=pwned()>`,
  "a drawing": `<svg onload=pwned()>`,
  "a style": `</style><script>pwned()</script>`,
  "a title": `</title><script>pwned()</script>`,
  "separators of lines": `\u2028\u2029</script>`,
  entities: `&lt;/script&gt;&quot;<script>pwned()</script>`,
  "an escape": `\\u003c/script><script>pwned()</script>`,
};
const entries = Object.entries(evil);

/** What a browser would run or load that is not the page's own: tags and attributes, seen outside of scripts that are data. */
function markup(page: string): string[] {
  const scripts = [...page.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script\s*>/gi)];
  const harmful = scripts
    .filter(([, , text]) => /pwned\(/.test(text!))
    .filter(([, told]) => !/application\/json/.test(told!));
  const rest = page.replace(/<script\b[^>]*>[\s\S]*?<\/script\s*>/gi, "");
  // A tag that is open where the text stands: attributes in quotes, of which none may hold an end of its own.
  const tags = [...rest.matchAll(/<[a-z!/](?:"[^"]*"|'[^']*'|[^'">])*>/gi)].map(([tag]) => tag);
  // What stands in quotes is a value.
  const bare = tags.map((tag) => tag.replace(/"[^"]*"|'[^']*'/g, '""'));
  const foreign = bare.filter((tag) => /\son\w+\s*=|pwned|src=x/i.test(tag));
  return [...harmful.map(([whole]) => whole), ...foreign];
}

describe("a string that would be markup", () => {
  test("is found by the check that all others here stand on", () => {
    for (const [name, text] of entries) {
      const found = markup(`<p title="${text}">${text}</p><p title='${text}'></p><script>1</script>`).length > 0;
      expect([name, found]).toEqual([name, name !== "separators of lines"]);
    }
  });

  test.each(entries)("in the address, in the name of a workspace, a folder or a file: %s", async (_, text) => {
    const root = join(temporary(), text.replace(/[/\0]/g, "_").slice(0, 100));
    mkdirSync(root, { recursive: true });
    const { raw, cookie, server } = await serve({ app: emptyPage(), root });
    const asked = encodeURIComponent(text);
    writeFileSync(join(root, "a.txt"), text);
    const pages = [
      await raw("GET", `/lab/tree/${asked}`, { cookie }),
      await raw("GET", `/lab?reset=${asked}&${asked}=1`, { cookie }),
      await raw("GET", `/lab/workspaces/${asked}`, { cookie }),
      await raw("GET", `/lab/tree/${asked}?token=${server.token}`),
      await raw("GET", `/lab?token=${asked}`),
      await raw("GET", `/tree/${asked}`, { cookie }),
      await raw("GET", "/lab", { host: asked }),
    ];
    for (const { text: page, headers } of pages) {
      if (headers["content-type"] !== undefined && !String(headers["content-type"]).includes("html")) continue;
      expect(markup(page)).toEqual([]);
      expect(String(headers.location ?? "/lab")).toMatch(/^\/lab[^\r\n]*$/);
    }
    const config = /id="jupyter-config-data"[^>]*>([\s\S]*?)<\/script>/.exec(pages[0]!.text)![1]!;
    expect(JSON.parse(config).treePath).toBe(text);
  });

  test.each(entries)("in any part of a notebook that becomes a page of its own: %s", (_, text) => {
    const code = (outputs: unknown) =>
      ({ cell_type: "code", source: text, metadata: { name: text }, outputs, execution_count: 1 }) as never;
    const figure = {
      data: [{ type: "scatter", name: text, x: [text], y: [1], text: [text] }],
      layout: { title: { text } },
    };
    const notebook = {
      metadata: { kernelspec: { name: text, display_name: text }, title: text },
      cells: [
        {
          cell_type: "markdown",
          source: `# ${text}\n\n${text}\n\n[${text}](${text} "${text}")\n\n![${text}](attachment:x.png "${text}")\n\n\`${text}\`\n\n    ${text}\n\n\`\`\`${text}\n${text}\n\`\`\``,
          metadata: {},
          attachments: { "x.png": { "image/png": text } },
        },
        { cell_type: "raw", source: text, metadata: {} },
        code([
          { output_type: "stream", name: "stdout", text },
          { output_type: "error", ename: text, evalue: text, traceback: [text, `\u001b[31m${text}\u001b[0m`] },
          { output_type: "execute_result", data: { "text/plain": text }, metadata: {}, execution_count: 1 },
          { output_type: "display_data", data: { "text/latex": text }, metadata: {} },
          { output_type: "display_data", data: { "text/markdown": text }, metadata: {} },
          { output_type: "display_data", data: { "image/png": text, "text/plain": text }, metadata: {} },
          {
            output_type: "display_data",
            data: { "application/vnd.plotly.v1+json": figure, "text/plain": text },
            metadata: {},
          },
        ]),
      ],
    } as unknown as Notebook;
    const page = notebookPage(notebook, { title: text });
    const own = page.replace(/<script>[\s\S]*<\/script>\s*<\/body>/, "</body>"); // plotly.js itself, which is long
    expect(markup(own)).toEqual([]);
    const policy = /content="(default-src[^"]*)"/.exec(page)![1]!;
    expect(policy).not.toMatch(/unsafe-inline'[^;]*;?\s*script|script-src[^;]*unsafe|connect-src|https?:/);
    const data = /<script type="application\/json" data-figure="[^"]*">([\s\S]*?)<\/script>/.exec(page)![1]!;
    expect(JSON.parse(data).data[0].name).toBe(text);
  });

  test("stays what it is as JSON inside a script", () => {
    for (const [, text] of entries) {
      expect(scriptJson({ [text]: text })).not.toMatch(/[<>&\u2028\u2029]/);
      expect(JSON.parse(scriptJson({ [text]: text }))).toEqual({ [text]: text });
    }
  });
});

describe("a notebook that becomes a page", () => {
  test("brings no file along that it names: pictures of the folder and of elsewhere become links", () => {
    const folder = temporary();
    writeFileSync(join(folder, "secret.png"), "secret");
    const names = [
      "secret.png",
      "../secret.png",
      `${folder}/secret.png`,
      `file://${folder}/secret.png`,
      "/etc/hostname",
      "http://evil.example/x.png",
      "//evil.example/x.png",
    ];
    const source = names.map((name) => `![x](${name})`).join("\n\n");
    const notebook = { metadata: {}, cells: [{ cell_type: "markdown", source, metadata: {} }] } as unknown as Notebook;
    const page = notebookPage(notebook, { title: "x" });
    expect(page).not.toMatch(/<img|secret"\s|c2VjcmV0/);
    expect(readFileSync(join(folder, "secret.png"), "utf8")).toBe("secret");
  });
});
