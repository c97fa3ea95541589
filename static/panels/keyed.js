/** A list of elements, each made from a few values. An element is made again when one of them changes, and dropped when it is gone. */

/**
 * @template {{key: string}} T
 * @param {HTMLElement} parent
 * @param {(values: T) => HTMLElement} make
 */
export function createKeyedList(parent, make) {
  /** @type {Map<string, {values: T, node: HTMLElement}>} */
  let shown = new Map();

  /** @param {T} values */
  function entryFor(values) {
    const before = shown.get(values.key);
    return before && isSame(values, before.values) ? before : { values, node: make(values) };
  }

  return {
    /** @param {T[]} items */
    show(items) {
      shown = new Map(items.map((values) => [values.key, entryFor(values)]));
      const nodes = [...shown.values()].map(({ node }) => node);
      if (nodes.length !== parent.childElementCount || nodes.some((node, i) => parent.children[i] !== node))
        parent.replaceChildren(inOneFragment(nodes));
    },
    /** @param {string} key */
    find: (key) => shown.get(key)?.node,
  };
}

/** A call takes some 100,000 arguments at most. @param {HTMLElement[]} nodes */
function inOneFragment(nodes) {
  const fragment = document.createDocumentFragment();
  for (const node of nodes) fragment.append(node);
  return fragment;
}

/** @param {object} a @param {object} b  with the same keys */
function isSame(a, b) {
  const other = Object.values(b);
  return Object.values(a).every((value, i) => value === other[i]);
}
