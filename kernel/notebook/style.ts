/** How the page looks: one column, light or dark as the reader's system says. */
export const style = `
:root { color-scheme: light dark; --bg:#fdfdfc; --fg:#1f2328; --soft:#6a737d; --line:#e3e5e8; --code:#f5f6f7; --accent:#0b63c5; --error:#c62828; --errorbg:#fff4f3;
  --keyword:#a626a4; --string:#327a38; --number:#a35c00; --comment:#8a919a; --call:#0b5cad; --type:#8a6100 }
@media (prefers-color-scheme: dark) { :root { --bg:#15181c; --fg:#e3e6ea; --soft:#98a1ab; --line:#2c3138; --code:#1d2126; --accent:#6cb2ff; --error:#ff8a80; --errorbg:#2b1a1a;
  --keyword:#d79bea; --string:#8fce93; --number:#e5b567; --comment:#7d868f; --call:#7cbcff; --type:#e0c080 } }
* { box-sizing: border-box }
body { margin:0; background:var(--bg); color:var(--fg); font:16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; -webkit-text-size-adjust:100% }
main { max-width:960px; margin:0 auto; padding:2.5rem 1.25rem 4rem }
h1,h2,h3,h4 { line-height:1.25; margin:2em 0 .6em; font-weight:650; letter-spacing:-.01em } h1 { font-size:2rem; margin-top:.2em } h2 { font-size:1.45rem } h3 { font-size:1.15rem }
p, ul, ol, blockquote, table { margin:.8em 0 } a { color:var(--accent); text-decoration-thickness:1px; text-underline-offset:2px }
blockquote { border-left:3px solid var(--line); margin-left:0; padding-left:1em; color:var(--soft) } img, svg { max-width:100% } hr { border:0; border-top:1px solid var(--line); margin:2em 0 }
code, pre, .count { font-family:ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size:.875rem }
:not(pre) > code { background:var(--code); border-radius:4px; padding:.1em .35em } pre { margin:0; overflow-x:auto; line-height:1.5; tab-size:2 }
.cell { position:relative; margin:1.25rem 0 } .code { background:var(--code); border:1px solid var(--line); border-radius:8px; padding:.75rem 1rem }
.count { position:absolute; right:.7rem; top:.45rem; color:var(--soft); font-size:.72rem; user-select:none }
.outputs { padding:.35rem 0 0 } .output { margin:.6rem 0; overflow-x:auto } .stream, .text { color:var(--fg); white-space:pre; padding:0 1rem } .stderr { color:var(--soft); border-left:3px solid var(--number) }
.long { max-height:32rem; overflow-y:auto } .error { background:var(--errorbg); border-left:3px solid var(--error); border-radius:4px; padding:.75rem 1rem; white-space:pre-wrap }
.figure { position:relative; border-radius:8px; background:#fff; color:#1f2328; color-scheme:light; padding:.25rem } .figure > svg { display:block; margin:0 auto }
.output table, main > .text-cell table { border-collapse:collapse; font-size:.875rem; font-variant-numeric:tabular-nums } .output th, .output td, .text-cell th, .text-cell td { padding:.3em .75em; border-bottom:1px solid var(--line); vertical-align:top }
.output thead th, .text-cell thead th { border-bottom:2px solid var(--line); font-weight:600 } .output small { color:var(--soft) }
.keyword { color:var(--keyword) } .string, .regexp { color:var(--string) } .number { color:var(--number) } .comment { color:var(--comment); font-style:italic } .call { color:var(--call) } .type { color:var(--type) }
.ansi-bold { font-weight:700 } .ansi-dim { opacity:.7 } .ansi-red { color:var(--error) } .ansi-green { color:var(--string) } .ansi-yellow { color:var(--number) } .ansi-blue, .ansi-cyan { color:var(--call) } .ansi-magenta { color:var(--keyword) } .ansi-black, .ansi-white { color:var(--soft) }
footer { margin-top:3rem; padding-top:1rem; border-top:1px solid var(--line); color:var(--soft); font-size:.85rem }
@media print { .code { break-inside:avoid } main { max-width:none; padding:0 } .long { max-height:none } }
`;
