/** The phone's own memory (IndexedDB): what is not sent yet, and the registers opened here.
 *
 * The service worker reads it too, where an import map does not reach: this file imports nothing.
 */

const NAME = "tuyenhuan";
const VERSION = 1;
const OPENS_WITHIN = 4000;
const DAY = 86_400_000;

function connect(lost) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    // Some phones never answer; the register then says so instead of standing still.
    setTimeout(() => reject(new Error("IndexedDB does not answer")), OPENS_WITHIN);
    request.onupgradeneeded = () => {
      const items = request.result.createObjectStore("items", { keyPath: "id" });
      items.createIndex("url", "url");
      request.result.createObjectStore("pages", { keyPath: "meeting" });
      request.result.createObjectStore("facts", { keyPath: "name" });
    };
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const database = request.result;
      database.onclose = lost;
      database.onversionchange = () => {
        database.close();
        lost();
      };
      resolve(database);
    };
  });
}

/** Runs `work` in one transaction; its request's result is given once all of it is on the disk. */
function transact(database, names, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(names, mode, { durability: "strict" });
    const request = work(transaction);
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
  });
}

export class Store {
  constructor() {
    this.unkept = new Map();
    this.replaced = [];
    this.writing = Promise.resolve();
    this.fault = null;
  }

  open() {
    const lost = () => {
      this.opening = null;
    };
    this.opening ??= connect(lost).catch((error) => {
      lost();
      throw error;
    });
    return this.opening;
  }

  async run(names, mode, work) {
    try {
      return await transact(await this.open(), names, mode, work);
    } catch (error) {
      if (error?.name !== "InvalidStateError") throw error;
      // The browser closed the connection while the page slept.
      this.opening = null;
      return transact(await this.open(), names, mode, work);
    }
  }

  /** Keeps items, those of one breath in one transaction; what cannot be written stays in memory. */
  put(records, instead = []) {
    for (const one of records) this.unkept.set(one.id, one);
    for (const id of instead) this.unkept.delete(id);
    this.replaced.push(...instead);
    this.writing = this.writing.then(() => this.write());
    return this.writing;
  }

  async write() {
    const all = [...this.unkept.values()];
    const replaced = this.replaced.splice(0);
    if (!all.length && !replaced.length) return;
    try {
      await this.run("items", "readwrite", (transaction) => {
        const items = transaction.objectStore("items");
        for (const id of replaced) items.delete(id);
        for (const one of all) items.put(one);
      });
      for (const one of all) if (this.unkept.get(one.id) === one) this.unkept.delete(one.id);
      this.fault = null;
    } catch (error) {
      this.fault = error;
      this.replaced.push(...replaced);
    }
  }

  /** The items of one address in the order they were made; of all addresses without one. */
  async items(url) {
    const read = (transaction) => {
      const items = transaction.objectStore("items");
      return url ? items.index("url").getAll(url) : items.getAll();
    };
    const kept = await this.run("items", "readonly", read).catch((error) => {
      this.fault = error;
      return [];
    });
    const found = new Map(kept.map((one) => [one.id, one]));
    for (const one of this.unkept.values()) if (!url || one.url === url) found.set(one.id, one);
    return [...found.values()].sort((one, other) => one.kept_at - other.kept_at);
  }

  /** Forgets the items whose verdict says that the server has them; keeps the refused, marked so.
   *
   * In the same transaction the kept register takes in the marks: a page that is closed between
   * the two would otherwise open without a server and show neither. `version` is the register's.
   */
  async settle(done, refused, version = 0) {
    const isOnDisk = [...done, ...refused].some(({ id }) => !this.unkept.has(id));
    for (const { id } of [...done, ...refused]) this.unkept.delete(id);
    await this.run(["items", "pages"], "readwrite", (transaction) => {
      const items = transaction.objectStore("items");
      for (const { id } of done) items.delete(id);
      for (const one of refused) items.put(one);
      if (done.length && version) takeIn(transaction.objectStore("pages"), done, version);
    }).catch((error) => {
      for (const one of refused) this.unkept.set(one.id, one);
      this.fault = error;
      // What never reached the disk need not be taken off it.
      if (isOnDisk) throw error;
    });
  }

  async fact(name) {
    const read = (transaction) => transaction.objectStore("facts").get(name);
    return (await this.run("facts", "readonly", read).catch(() => null))?.value;
  }

  async putFact(name, value) {
    const write = (transaction) => void transaction.objectStore("facts").put({ name, value });
    await this.run("facts", "readwrite", write).catch(() => {});
  }

  page(meeting) {
    return this.run("pages", "readonly", (transaction) => transaction.objectStore("pages").get(meeting));
  }

  pages() {
    return this.run("pages", "readonly", (transaction) => transaction.objectStore("pages").getAll());
  }

  putPage(page) {
    return this.run("pages", "readwrite", (transaction) => void transaction.objectStore("pages").put(page));
  }

  /** Forgets every opened register; what is not sent yet stays. */
  forgetPages() {
    return this.run("pages", "readwrite", (transaction) => void transaction.objectStore("pages").clear());
  }

  /** Forgets the registers whose meeting ended a day ago, once nothing of theirs waits. */
  async forgetOldPages(now) {
    const needed = new Set((await this.items()).map(({ url }) => meetingOf(url)));
    const old = (await this.pages()).filter(
      ({ meeting, ends_at }) => Date.parse(ends_at) + DAY < now && !needed.has(meeting),
    );
    if (!old.length) return;
    await this.run("pages", "readwrite", (transaction) => {
      for (const { meeting } of old) transaction.objectStore("pages").delete(meeting);
    });
  }
}

/** Lays marks that the server has over the kept register of their meeting. */
function takeIn(pages, done, version) {
  const request = pages.get(meetingOf(done[0].url) ?? 0);
  request.onsuccess = () => {
    const page = request.result;
    if (!page || page.register.version >= version) return;
    const lines = new Map(page.register.subjects.map((line) => [line.subject, line]));
    for (const { item } of done) {
      if (!item.subject || !item.status) continue;
      const { subject, status, id, name = "", unit = "" } = item;
      const line = lines.get(subject) ?? { subject, name, unit };
      const isClear = status === "none";
      if (isClear && line.mark && item.annuls !== line.mark) continue;
      lines.set(subject, { ...line, status: isClear ? "not_marked" : status, mark: isClear ? undefined : id, others: undefined, said: undefined });
    }
    page.register = { ...page.register, version, subjects: [...lines.values()] };
    pages.put(page);
  };
}

/** The meeting's number in an address such as /attendance/12/marks; null for other addresses. */
export function meetingOf(path) {
  const number = /^\/attendance\/(\d+)(?:\/(?:marks|heads|tallies))?$/u.exec(path)?.[1];
  return number ? Number(number) : null;
}
