/** How the page looks, for frames that cannot see it: the variables that widgets of Jupyter use. */

const names = [
  "--jp-ui-font-color0",
  "--jp-ui-font-color1",
  "--jp-ui-font-color2",
  "--jp-layout-color0",
  "--jp-layout-color1",
  "--jp-layout-color2",
  "--jp-layout-color3",
  "--jp-border-color1",
  "--jp-border-color2",
  "--jp-brand-color1",
  "--jp-brand-color2",
  "--jp-error-color1",
  "--jp-ui-font-family",
  "--jp-ui-font-size1",
  "--jp-content-font-family",
  "--jp-content-font-size1",
  "--jp-code-font-family",
  "--jp-code-font-size",
];

export interface Look {
  dark: boolean;
  variables: Record<string, string>;
}

function look(): Look {
  const style = getComputedStyle(document.body);
  const variables = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(name).trim()]));
  return { dark: document.body.dataset.jpThemeLight === "false", variables };
}

/** Calls now and whenever the theme changes. @returns a function that ends it. */
export function theme(listener: (look: Look) => void): () => void {
  const observer = new MutationObserver(() => {
    listener(look());
    // The attribute changes before the style sheet has come.
    setTimeout(() => listener(look()), 300);
  });
  observer.observe(document.body, { attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  listener(look());
  return () => observer.disconnect();
}
