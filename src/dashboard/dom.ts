/** The element with an id, of the kind that the page's HTML has there. Throws where they disagree. */
export function byId<T extends Element>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}`);
  return element;
}

/** A new element with a class and children; strings become text. */
export function create<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.append(...children);
  return element;
}

/** Sets text only where it differs: an unchanged text causes no layout and no announcement. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes `select` offer these options, keeping the element's focus and open list while they are the same. */
export function setOptions(
  select: HTMLSelectElement,
  options: readonly { value: string; label: string }[],
  selected: string,
): void {
  const current = [...select.options];
  const same =
    current.length === options.length &&
    options.every((o, i) => current[i]?.value === o.value && current[i]?.text === o.label);
  if (!same) select.replaceChildren(...options.map(({ value, label }) => new Option(label, value)));
  if (select.value !== selected) select.value = selected;
  select.disabled = options.length === 0;
}
