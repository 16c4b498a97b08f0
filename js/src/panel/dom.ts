/** Making elements. Text is set as text, always. */

type Attributes = Record<string, string>;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text = "",
  attributes: Attributes = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = className;
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Only JupyterLab's own word keeps "d d" on a focused button from deleting the cell. */
export function quiet<T extends HTMLElement>(element: T): T {
  element.setAttribute("data-lm-suppress-shortcuts", "true");
  return element;
}

export function button(className: string, text: string, act: () => void): HTMLButtonElement {
  const made = quiet(make("button", className, text, { type: "button" }));
  made.addEventListener("click", act);
  return made;
}

/** A small button that copies what `text` gives, and says so. */
export function copyButton(label: string, text: () => string, meaning: string): HTMLButtonElement {
  const made = button("las-button las-small", label, () => {
    void copy(text()).then((done) => {
      setText(made, done ? "Copied" : "Cannot copy");
      setTimeout(() => setText(made, label), 1500);
    });
  });
  made.title = meaning;
  made.setAttribute("aria-label", meaning);
  return made;
}

/** The clipboard exists only on https and localhost; a hub over plain http has just the old way. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = make("textarea", "las-hidden");
    box.value = text;
    document.body.append(box);
    box.select();
    const done = document.execCommand?.("copy") ?? false;
    box.remove();
    return done;
  }
}

export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const SVG = "http://www.w3.org/2000/svg";

export function line(
  width: number,
  height: number,
  label: string,
): { svg: SVGSVGElement; path: SVGPathElement; area: SVGPathElement } {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = {
    class: "las-spark",
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": label,
  };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(height));
  const area = document.createElementNS(SVG, "path");
  area.setAttribute("class", "las-area");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", "las-stroke");
  svg.append(area, path);
  return { svg, path, area };
}
