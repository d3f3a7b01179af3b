// @ts-check
// A saved run, read from a file: the same checks and limits as Decode of
// package trace, so that what one takes the other takes.

/** @typedef {import('../inspect/recorder.js').Run} Run */

export const limits = { bytes: 64 << 20, events: 500_000, text: 64 << 10, attrs: 64 };
const kinds = ['message', 'span', 'sample', 'state', 'note', 'fact'];
const layers = ['', 'app', 'http', 'tls', 'quic', 'tcp', 'udp', 'ip', 'dns', 'ice', 'dtls', 'sctp', 'turn'];
const utf8 = new TextEncoder();

export class BadRun extends Error {}

/** @param {string} text @returns {Run} throws BadRun, which says what is wrong */
export function decodeRun(text) {
  if (size(text) > limits.bytes) throw new BadRun(`It is larger than ${limits.bytes >> 20} MiB.`);
  let run;
  try {
    run = JSON.parse(text);
  } catch (err) {
    throw new BadRun(`It is not JSON: ${/** @type {Error} */ (err).message}.`);
  }
  if (!isObject(run)) throw new BadRun('It is not a run: a run is an object.');
  for (const key of ['id', 'lab', 'started', 'ended']) text_(run, key, 'The run');
  number(run, 'dropped', 'The run');
  for (const key of ['started', 'ended']) {
    if (run[key] != null && !(/^\d{4}-\d\d-\d\dT/.test(run[key]) && Date.parse(run[key]) > -Infinity)) throw new BadRun(`The run’s ${key} is not a time.`);
  }
  for (const key of ['params', 'network']) {
    if (run[key] != null && !isObject(run[key])) throw new BadRun(`The run’s ${key} is not an object.`);
  }
  const events = run.events ?? [];
  if (!Array.isArray(events)) throw new BadRun('It is not a run: its events are not a list.');
  if (events.length > limits.events) throw new BadRun(`It has ${events.length} events; at most ${limits.events} are read.`);
  let seq = 0, at = 0;
  events.forEach((event, i) => {
    check(event, `Event ${i}`);
    const now = event.at_ns ?? 0;
    if ((event.seq ?? 0) <= seq || now < at) throw new BadRun(`Event ${i}: seq and at_ns must rise.`);
    seq = event.seq;
    at = event.at_ns = now;
  });
  return {
    id: run.id ?? '', lab: run.lab ?? '', params: run.params ?? {}, network: run.network ?? {},
    started: run.started ?? '', ...(run.ended ? { ended: run.ended } : {}), dropped: run.dropped ?? 0, events,
  };
}

/** @param {any} event @param {string} which */
function check(event, which) {
  if (!isObject(event)) throw new BadRun(`${which} is not an object.`);
  if (!kinds.includes(event.kind)) throw new BadRun(`${which}: unknown kind ${quote(event.kind)}.`);
  if (event.layer != null && !layers.includes(event.layer)) throw new BadRun(`${which}: unknown layer ${quote(event.layer)}.`);
  for (const key of ['seq', 'at_ns', 'took_ns', 'span', 'value']) number(event, key, which);
  if (event.lost != null && typeof event.lost !== 'boolean') throw new BadRun(`${which}: lost is neither true nor false.`);
  for (const key of ['from', 'to', 'name', 'text', 'unit']) text_(event, key, which);
  if (event.attrs == null) return;
  if (!isObject(event.attrs)) throw new BadRun(`${which}: attrs is not an object.`);
  const entries = Object.entries(event.attrs);
  if (entries.length > limits.attrs) throw new BadRun(`${which}: more than ${limits.attrs} attrs.`);
  for (const [key, value] of entries) {
    if (value === null) event.attrs[key] = '';
    else if (typeof value !== 'string') throw new BadRun(`${which}: attr ${quote(key)} is not text.`);
    if (size(key) > limits.text || size(value ?? '') > limits.text) throw new BadRun(`${which}: an attr longer than ${limits.text} bytes.`);
  }
}

/** @param {Record<string, any>} from @param {string} key @param {string} which */
function text_(from, key, which) {
  const value = from[key];
  if (value == null) return;
  if (typeof value !== 'string') throw new BadRun(`${which}: ${key} is not text.`);
  if (size(value) > limits.text) throw new BadRun(`${which}: ${key} is longer than ${limits.text} bytes.`);
}

/** @param {Record<string, any>} from @param {string} key @param {string} which */
function number(from, key, which) {
  const value = from[key];
  if (value == null) return;
  if (typeof value !== 'number') throw new BadRun(`${which}: ${key} is not a number.`);
  if (key !== 'value' && (!Number.isInteger(value) || value < 0 && key !== 'at_ns' && key !== 'took_ns')) throw new BadRun(`${which}: ${key} is not a whole number.`);
}

/** Bytes as UTF-8, without encoding what is short in any case. @param {string} text */
function size(text) { return text.length * 3 <= limits.text ? text.length : utf8.encode(text).length; }

/** @param {unknown} value @returns {value is Record<string, any>} */
function isObject(value) { return typeof value === 'object' && value !== null && !Array.isArray(value); }

/** @param {unknown} value */
function quote(value) {
  const text = String(value);
  return `"${text.length > 32 ? text.slice(0, 32) + '…' : text}"`;
}
