/** Small helpers for building and changing elements. Data only ever becomes text or an attribute. */

type Child = Node | string;

/** Makes an element with attributes and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

/** Makes an SVG element. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Node[]
): SVGElementTagNameMap[K] {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

/** Sets the text, and does nothing if it is there already. */
export function setText(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

/** Sets an attribute, or takes it away for null, and does nothing if it is so already. */
export function setAttribute(e: Element, name: string, value: string | null): void {
  if (value === null) e.removeAttribute(name);
  else if (e.getAttribute(name) !== value) e.setAttribute(name, value);
}

/**
 * Shows a value in its place, or a skeleton while it is null: what has not
 * arrived must not look like zero.
 */
export function setValue(e: Element, text: string | null): void {
  setText(e, text ?? "");
  setAttribute(e, "data-waiting", text === null ? "" : null);
}

/** The element with this id, which the page has. */
export function byId(id: string): HTMLElement {
  const e = document.getElementById(id);
  if (e === null) throw new Error(`the page has no element #${id}`);
  return e;
}

/**
 * Makes a parent's children those of a keyed list, in its order: new ones are
 * made, old ones kept, gone ones removed.
 */
export class Keyed<T, V extends { root: Element }> {
  private readonly views = new Map<string, V>();

  constructor(
    private readonly parent: Element,
    private readonly key: (item: T) => string,
    private readonly make: (item: T) => V,
  ) {}

  update(items: readonly T[], render: (view: V, item: T) => void): void {
    const gone = new Set(this.views.keys());
    items.forEach((item, i) => {
      const k = this.key(item);
      gone.delete(k);
      let view = this.views.get(k);
      if (view === undefined) this.views.set(k, (view = this.make(item)));
      if (this.parent.children[i] !== view.root) this.parent.insertBefore(view.root, this.parent.children[i] ?? null);
      render(view, item);
    });
    for (const k of gone) {
      this.views.get(k)?.root.remove();
      this.views.delete(k);
    }
  }
}
