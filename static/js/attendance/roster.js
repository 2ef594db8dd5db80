/** The register in the phone's memory: who stands how, what was done last, and what to send. */

export const STATUSES = ["present", "late", "left_early", "excused", "unexcused"];
const HERE = new Set(["present", "late", "left_early"]);

export const isHere = (status) => HERE.has(status);
export const isAbsent = (status) => status === "excused" || status === "unexcused";

/** A random UUID; `crypto.randomUUID` is missing where the page was opened without https. */
export const newId = () => written(randomBytes(), 4);

/**
 * A mark's id: a UUID that begins with the moment (version 7, RFC 9562). Ids made one after another
 * stand side by side in the ledger's index, so that a batch touches a few of its pages, not dozens.
 */
export function newMarkId(at = Date.now()) {
  const bytes = randomBytes();
  const moment = new DataView(bytes.buffer);
  moment.setUint16(0, Math.floor(at / 2 ** 32));
  moment.setUint32(2, at % 2 ** 32);
  return written(bytes, 7);
}

const randomBytes = () => crypto.getRandomValues(new Uint8Array(16));

function written(bytes, version) {
  bytes[6] = (bytes[6] & 0x0f) | (version << 4);
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/u, "$1-$2-$3-$4-$5");
}

export class Roster {
  /** `settles`: whether a mark made here decides what others disagree about. */
  constructor(register, settles = true) {
    this.settles = settles;
    this.lines = new Map();
    this.past = [];
    this.take(register, []);
  }

  /** The server's register, with what has not reached it yet laid over it. */
  take(register, waiting) {
    this.version = register.version;
    this.state = register.state;
    const known = this.lines;
    this.lines = new Map(
      register.subjects.map((line) => [line.subject, { ...known.get(line.subject), ...line, mark: line.mark, others: line.others, said: line.said }]),
    );
    this.lay(waiting);
  }

  /** What another page of this browser has tapped. */
  lay(marks) {
    for (const mark of marks) this.put(this.lines.get(mark.subject) ?? this.invent(mark), mark);
  }

  invent(mark) {
    const line = { subject: mark.subject, name: mark.name ?? "", unit: mark.unit ?? "", status: "not_marked" };
    this.lines.set(mark.subject, line);
    return line;
  }

  put(line, mark) {
    const isClear = mark.status === "none";
    if (isClear && line.mark && mark.annuls !== line.mark) return;
    line.status = isClear ? "not_marked" : mark.status;
    line.mark = isClear ? undefined : mark.id;
    line.others = undefined;
    line.said = undefined;
  }

  /** Marks that give these subjects the status, knowing what they had; one step to undo. */
  set(subjects, status) {
    const done = [];
    const marks = subjects.flatMap((subject) => {
      const line = this.lines.get(subject);
      if (!line || (line.status === status && !line.others)) return [];
      const before = line.status;
      const made = this.marksFor(line, status);
      done.push({ subject, before, mark: made[0].id });
      return made;
    });
    if (done.length) this.past.push(done);
    return marks;
  }

  marksFor(line, status) {
    const tapped_at = new Date().toISOString();
    const isLeftOpen = line.said && !this.settles;
    const settled = isLeftOpen ? [] : (line.others ?? []).filter((id) => id !== line.mark);
    const mark = { id: newMarkId(), subject: line.subject, status: status === "not_marked" ? "none" : status, tapped_at };
    if (line.mark) mark.annuls = line.mark;
    if (line.subject.startsWith("w:")) Object.assign(mark, { name: line.name, unit: line.unit });
    this.put(line, mark);
    return [
      mark,
      ...settled.map((annuls) => ({ id: newMarkId(), subject: line.subject, status: "none", tapped_at, annuls })),
    ];
  }

  addWalkIn(name, unit) {
    const subject = `w:${newId()}`;
    this.lines.set(subject, { subject, name, unit, status: "not_marked" });
    return { subject, marks: this.set([subject], "present") };
  }

  /** Marks that take the last step back; none when there is nothing to undo. */
  undo() {
    const step = this.past.pop() ?? [];
    return step.flatMap(({ subject, before }) => {
      const line = this.lines.get(subject);
      return line && line.status !== before ? this.marksFor(line, before) : [];
    });
  }

  notMarked() {
    return [...this.lines.values()].filter((line) => line.status === "not_marked");
  }

  /** Those of whom two phones say different things. */
  contradicted() {
    return [...this.lines.values()].filter((line) => line.said);
  }

  counts(lines = [...this.lines.values()]) {
    const numbers = { present: 0, late: 0, absent: 0, not_marked: 0, here: 0, total: lines.length };
    for (const { status } of lines) {
      if (status === "not_marked") numbers.not_marked += 1;
      else if (isAbsent(status)) numbers.absent += 1;
      else if (status === "present") numbers.present += 1;
      else numbers.late += 1;
    }
    numbers.here = numbers.present + numbers.late;
    return numbers;
  }
}
