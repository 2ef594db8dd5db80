/** The service worker: opens registers without a network, and sends what waits when one returns.
 *
 * Imported by /sw.js, which hands in the other two modules and the list of files to keep.
 */

const SHELLS = "attendance-";
const KEPT_SHELLS = 3;
const PATIENCE = 5000;
const SIGNED_OUT = new Set([401, 403, 410]);
const LIST = /^\/attendance\/?$/u;
const LINK = /^\/attendance\/link\/[^/]+$/u;

/** The way to the sign-in page, or a page that says that the link is over. */
const isSignedOut = ({ type, status }) => type === "opaqueredirect" || SIGNED_OUT.has(status);

export function start({ Store, meetingOf, deliverAll }, { version, files, listUrl }) {
  const store = new Store();
  const shell = `${SHELLS}${version}`;

  async function install() {
    const cache = await caches.open(shell);
    await cache.addAll([...files, new Request(listUrl, { cache: "no-store" })]);
    // Nobody is interrupted by the very first one; a later one waits until it is asked.
  }

  /** Old files stay for the pages that were kept with them: this version's and the two before. */
  async function activate() {
    const shells = (await caches.keys()).filter((name) => name.startsWith(SHELLS));
    const old = shells.filter((name) => name !== shell).slice(0, -(KEPT_SHELLS - 1));
    await Promise.all(old.map((name) => caches.delete(name)));
    await store.forgetOldPages(Date.now()).catch(() => {});
    await self.clients.claim();
  }

  async function fileFor(request) {
    const kept = await caches.match(request);
    if (kept) return kept;
    const response = await fetch(request);
    if (response.ok) await (await caches.open(shell)).put(request, response.clone());
    return response;
  }

  async function keptPage(path) {
    const meeting = meetingOf(path);
    const page = meeting === null ? null : await store.page(meeting).catch(() => null);
    if (!page?.html) return null;
    const headers = { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": page.policy };
    return new Response(page.html, { headers });
  }

  async function hasUnsent(path) {
    const meeting = meetingOf(path);
    return meeting !== null && (await store.items()).some(({ url }) => meetingOf(url) === meeting);
  }

  /** The server's page when it answers in time; else the one kept here. */
  async function pageFor(request, path) {
    const asked = fetch(request);
    asked.catch(() => {});
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, null));
    const response = await Promise.race([asked, late]).catch(() => null);
    const isBroken = !response || response.status >= 500;
    if (!isBroken && !(isSignedOut(response) && (await hasUnsent(path)))) return response;
    return (await keptPage(path)) ?? response ?? (await caches.match(listUrl)) ?? asked;
  }

  self.addEventListener("install", (event) => event.waitUntil(install()));
  self.addEventListener("activate", (event) => event.waitUntil(activate()));
  self.addEventListener("message", ({ data }) => {
    if (data === "take over") self.skipWaiting();
  });
  self.addEventListener("sync", (event) => {
    if (event.tag === "attendance") event.waitUntil(deliverAll(store));
  });
  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const { origin, pathname, searchParams } = new URL(request.url);
    if (request.method !== "GET" || origin !== self.location.origin) return;
    const isFile = pathname.startsWith("/static/") && !pathname.startsWith("/static/vendor/");
    if (isFile && searchParams.has("v")) event.respondWith(fileFor(request));
    const isOurs = meetingOf(pathname) !== null || LIST.test(pathname) || LINK.test(pathname);
    if (request.mode === "navigate" && isOurs) event.respondWith(pageFor(request, pathname));
  });
}
