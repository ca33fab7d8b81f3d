// @ts-check
/** Elements, made. */

/**
 * An element with a class, a text or what is in it.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} kind
 * @param {string} [look] classes
 * @param {...(string | Node)} within
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(kind, look = "", ...within) {
  const made = document.createElement(kind);
  if (look) made.className = look;
  made.append(...within);
  return made;
}
