/** Starts the module named in `data-module` on every element that asks for one. */

async function start(element) {
  for (const name of element.dataset.module.split(/\s+/u).filter(Boolean)) {
    try {
      const module = await import(name);
      module.start(element);
    } catch (error) {
      console.error(`data-module="${name}"`, error);
    }
  }
}

/** Starts modules in a part of the page that was added later. */
export function startIn(root) {
  root.querySelectorAll("[data-module]").forEach(start);
}

startIn(document);
