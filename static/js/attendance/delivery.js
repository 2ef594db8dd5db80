/** Brings what waits to the server, a batch at a time; only a verdict on an item lets it go.
 *
 * The service worker uses it too, where an import map does not reach: this file imports nothing.
 */

const WHICH = 1;
const PATIENCE = 30_000;
const MOST = { marks: 200, counts: 100, tallies: 100 };
const HAS_IT = new Set(["stored", "known", "flagged"]);
const ANSWER_OF_ANOTHER = "no answer of ours";
const channel = globalThis.BroadcastChannel ? new BroadcastChannel("attendance") : null;
const TOKEN = /<meta name="csrf-token" content="([^"]+)"/u;

/** A new token for whoever is signed in now; `url` is the address that takes the items.
 *
 * The way to the sign-in page is not followed: that page would begin a new session here, and the
 * form of a link that somebody is opening at this moment would no longer be accepted.
 */
export async function freshToken(url) {
  const options = { headers: { Accept: "text/html" }, redirect: "manual" };
  const response = await fetch(url.replace(/\/\w+$/u, ""), options);
  return TOKEN.exec(await response.text())?.[1] ?? null;
}

async function post(url, body, { token, device }) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      "X-CSRF-Token": token,
      ...(device && { "X-Device": device }),
    },
    body: JSON.stringify(body),
    redirect: "error",
    signal: AbortSignal.timeout?.(PATIENCE),
  });
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw Object.assign(new Error(answer?.message ?? ""), { status: response.status, body: answer });
}

/** Sends once; gives `{answer, done, refused}`, or null when nothing waits at that address. */
export async function deliver(store, url, { token, device, extra = {}, most = 0 }) {
  const unsent = (await store.items(url)).filter((one) => !one.refused);
  if (!unsent.length) return null;
  const { key } = unsent[0];
  const waiting = unsent.slice(0, most || MOST[key]);
  const items = waiting.map((one) => one.item);
  const body = { v: WHICH, [key]: items, sent_at: new Date().toISOString(), ...extra };
  try {
    return await settle(store, waiting, key, await post(url, body, { token, device }));
  } catch (error) {
    const isShape = error.status === 413 || error.status === 422;
    const fewer = Math.ceil(waiting.length / 8);
    if (isShape && waiting.length > 1) return deliver(store, url, { token, device, extra, most: fewer });
    if (error.status !== 422 || !error.body?.message) throw error;
    // One item alone that the server cannot read: it steps aside, so that the others go on.
    const verdict = { id: waiting[0].id, verdict: "refused", reason: error.body.message };
    return settle(store, waiting, key, { ok: true, [key]: [verdict] });
  }
}

async function settle(store, waiting, key, answer) {
  if (!answer?.ok || !Array.isArray(answer[key])) throw new Error(ANSWER_OF_ANOTHER);
  const sent = new Map(waiting.map((one) => [one.id, one]));
  const done = [];
  const refused = [];
  for (const { id, verdict, reason } of answer[key]) {
    const one = sent.get(id);
    if (one && HAS_IT.has(verdict)) done.push(one);
    if (one && verdict === "refused") refused.push({ ...one, refused: reason ?? "?" });
  }
  if (!done.length && !refused.length) throw new Error(ANSWER_OF_ANOTHER);
  await store.settle(done, refused, answer.register?.version);
  await store.putFact(`saved ${waiting[0].url}`, Date.now());
  return { answer, done, refused };
}

/** Runs `work` unless another page of this browser sends there already; tells whether it ran. */
export async function alone(url, work) {
  if (!navigator.locks) {
    await work();
    return true;
  }
  return navigator.locks.request(`sending ${url}`, { ifAvailable: true }, async (lock) => {
    if (lock) await work();
    return Boolean(lock);
  });
}

/** Sends all that waits anywhere, as the service worker and the list of registers do. */
export async function deliverAll(store, except = "") {
  const urls = new Set((await store.items()).filter((one) => !one.refused).map(({ url }) => url));
  const device = await store.fact("device");
  let fault = null;
  for (const url of urls) {
    if (except && url.startsWith(except)) continue;
    try {
      await alone(url, async () => {
        const token = (await freshToken(url)) ?? "";
        while (await deliver(store, url, { token, device })) tellOthers(url);
      });
    } catch (error) {
      fault = error;
    }
  }
  if (fault) throw fault;
}

/** Lets the other pages of this browser read again what waits at an address. */
export function tellOthers(url, items = []) {
  channel?.postMessage({ url, items });
}

/** Hears what another page of this browser has kept or sent. */
export function listenToOthers(hear) {
  channel?.addEventListener("message", ({ data }) => hear(data));
}
