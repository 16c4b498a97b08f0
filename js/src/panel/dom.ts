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

export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const SVG = "http://www.w3.org/2000/svg";

export function line(
  width: number,
  height: number,
  label: string,
): { svg: SVGSVGElement; path: SVGPathElement } {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "las-spark");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(height));
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const path = document.createElementNS(SVG, "path");
  svg.append(path);
  return { svg, path };
}
