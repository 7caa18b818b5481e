/**
 * The look of the broker's pages: one column that reads well on a phone and on a desk, light or dark as the reader's
 * system is, without a script, an image or anything loaded from elsewhere.
 */
import { createHash } from "node:crypto";
import { page } from "./answer.ts";

/** Text that is HTML already; everything else put into `markup` is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A tagged template: its values are escaped unless they are `Html`; arrays of `Html` are joined. */
export function markup(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | Html | readonly Html[])[]
): Html {
  const parts = strings.map((text, index) => {
    const value = values[index];
    if (value === undefined) return text;
    if (value instanceof Html) return text + value.text;
    if (Array.isArray(value)) return text + value.map((each: Html) => each.text).join("");
    return text + String(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
  });
  return new Html(parts.join(""));
}

const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f5f3ee; --sheet: #fffefb; --ink: #1e2421; --soft: #5a645f; --line: #dcd8ce;
  --accent: #0b6b57; --accent-ground: #e4f0ec; --warn: #8a3b12; --warn-ground: #f8e9de; --code: #f0ede5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131715; --sheet: #1b211e; --ink: #e8ece9; --soft: #a3aea8; --line: #323a36;
    --accent: #6fd3b8; --accent-ground: #1d312b; --warn: #f0b08a; --warn-ground: #37261b; --code: #131816;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: clamp(1rem, 5vw, 4rem) 1rem; background: var(--ground); color: var(--ink);
  font: 1.0625rem/1.6 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  -webkit-text-size-adjust: 100%;
}
main {
  max-width: 38rem; margin: 0 auto; padding: clamp(1.25rem, 5vw, 2.5rem); background: var(--sheet);
  border: 1px solid var(--line); border-radius: 1rem; overflow-wrap: anywhere;
}
.brand { display: flex; gap: .6rem; align-items: center; margin: 0 0 1.5rem; color: var(--soft);
  font-size: .9375rem; letter-spacing: .01em; }
.brand svg { flex: none; fill: var(--accent); stroke: var(--accent); }
h1 { margin: 0 0 .5rem; font-size: clamp(1.5rem, 5.5vw, 2rem); line-height: 1.2; text-wrap: balance;
  letter-spacing: -.015em; }
h2 { margin: 2rem 0 .5rem; font-size: 1.0625rem; }
p { margin: .5rem 0; }
.lead { color: var(--soft); }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; margin: 1.5rem 0 0;
  border-top: 1px solid var(--line); }
dt, dd { margin: 0; padding: .65rem 0; border-bottom: 1px solid var(--line); }
dt { padding-right: 1.5rem; color: var(--soft); }
dd small { display: block; color: var(--soft); font-size: .875rem; }
pre { margin: .75rem 0; padding: .9rem 1rem; background: var(--code); border: 1px solid var(--line);
  border-radius: .6rem; white-space: pre-wrap; user-select: all; }
code { font: .9375rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
mark { background: var(--warn-ground); color: var(--warn); border-radius: .25rem; padding: 0 .2rem; }
.note { margin: 1rem 0; padding: .75rem 1rem; border-left: 3px solid var(--accent); border-radius: .25rem;
  background: var(--accent-ground); }
.note.warn { border-color: var(--warn); background: var(--warn-ground); }
.note p { margin: .25rem 0; }
footer { max-width: 38rem; margin: 1rem auto 0; padding: 0 .5rem; color: var(--soft); font-size: .875rem; }
@media (max-width: 34rem) {
  dl { grid-template-columns: 1fr; }
  dt { padding-bottom: 0; border-bottom: 0; font-size: .875rem; }
  dd { padding-top: 0; }
}
`;

const STYLE_HASH = `sha256-${createHash("sha256").update(STYLE).digest("base64")}`;

const MARK = new Html(
  '<svg width="26" height="26" viewBox="0 0 26 26" aria-hidden="true" stroke-width="1.5">' +
    '<path fill="none" d="M6 7 20 6 13 20ZM13 20 6 7M20 6 13 20"/>' +
    '<circle cx="6" cy="7" r="3.2"/><circle cx="20" cy="6" r="3.2"/><circle cx="13" cy="20" r="3.2"/></svg>',
);

/** A whole page as an answer. `body` stands below the brand line. */
export function layout(title: string, body: Html, status = 200): Response {
  const document = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>${title} · claudemesh</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<p class="brand">${MARK}<span>claudemesh</span></p>
${body}
</main>
<footer><p>This page runs no script and stores nothing in your browser.</p></footer>
</body>
</html>
`;
  return page(document.text, STYLE_HASH, status);
}
