// @ts-check
// From samples to plots: series of one unit share a plot, so that what is
// measured in the same unit can be compared; too many for that have a plot for
// each name. They are drawn over time, or
// against another quantity if their samples name one. No DOM.

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {import('./chart.js').Sample} Sample */
/** @typedef {{name: string, lane: string, label: string, samples: Sample[]}} Line */
/** @typedef {{name: string, unit: string}} Quantity */
/** @typedef {{title: string, unit: string, against: Quantity|null, held: boolean, lines: Line[]}} Plot against: null is time; held: a value holds until the next one */

/** More lines than this can't be told from each other in one plot. */
export const looks = 8;

export class Series {
  count = 0;
  /** milliseconds, of the last sample */
  last = 0;
  /** @type {Map<string, Line>} */
  #lines = new Map();
  /** @type {Map<string, {unit: string, against: Quantity|null, whole: boolean, lines: Line[]}>} that may be compared */
  #groups = new Map();

  /** @param {Event} event */
  add(event) {
    if (event.kind !== 'sample') return false;
    const lane = event.from ?? '', name = event.name ?? '', unit = event.unit ?? '', against = quantityOf(event);
    const key = JSON.stringify([lane, name, unit, against]);
    let line = this.#lines.get(key);
    if (!line) {
      line = { name, lane, label: lane ? `${lane} ${name}` : name, samples: [] };
      this.#lines.set(key, line);
      this.#group(name, unit, against).lines.push(line);
    }
    this.last = Math.max(this.last, event.at_ns / 1e6);
    const value = event.value ?? 0;
    if (!Number.isInteger(value)) this.#group(name, unit, against).whole = false;
    if (against) {
      const at = Number(event.attrs?.x);
      line.samples.splice(after(line.samples, at), 0, { at, value });
    } else line.samples.push({ at: event.at_ns / 1e9, value });
    this.count++;
    return true;
  }

  /** Without a unit only what has the same name is comparable. @param {string} name @param {string} unit @param {Quantity|null} against */
  #group(name, unit, against) {
    const key = JSON.stringify([unit, unit ? '' : name, against]);
    let group = this.#groups.get(key);
    if (!group) this.#groups.set(key, group = { unit, against, whole: true, lines: [] });
    return group;
  }

  /** @returns {Plot[]} */
  get plots() {
    return [...this.#groups.values()].flatMap(({ unit, against, whole, lines }) => {
      // What is counted stays as it is until it changes; a time is of one moment.
      const held = whole && !against && !/^[nuµm]?s$/.test(unit);
      const names = [...new Set(lines.map((line) => line.name))];
      const parts = lines.length > looks && names.length < lines.length ? names.map((name) => [name]) : [names];
      return parts.map((part) => ({ title: part.join(', '), unit, against, held, lines: lines.filter((line) => part.includes(line.name)) }));
    });
  }
}

/** What a sample is a value against, if not time. @param {Event} event @returns {Quantity|null} */
function quantityOf({ attrs }) {
  return attrs?.against && Number.isFinite(Number(attrs.x)) ? { name: attrs.against, unit: attrs['x-unit'] ?? '' } : null;
}

/**
 * At most two samples for each of n slices of time, the least and the most, in
 * order: what a line n pixels wide can show of them. A sample before and after
 * stays, so that the line goes on at the edges.
 * @param {Sample[]} samples @param {number} from seconds @param {number} to @param {number} n
 * @returns {Sample[]}
 */
export function thin(samples, from, to, n) {
  const first = Math.max(0, after(samples, from) - 1), last = Math.min(samples.length, after(samples, to) + 1);
  if (last - first <= 2 * n || to <= from) return samples.slice(first, last);
  const kept = [];
  for (let i = first, slice = -Infinity, low = samples[i], high = low; i <= last; i++) {
    const now = i < last ? Math.floor(((samples[i].at - from) / (to - from)) * n) : Infinity;
    if (now !== slice) {
      if (slice !== -Infinity) kept.push(...(low === high ? [low] : low.at <= high.at ? [low, high] : [high, low]));
      if (i === last) break;
      slice = now;
      low = high = samples[i];
    } else {
      if (samples[i].value < low.value) low = samples[i];
      if (samples[i].value > high.value) high = samples[i];
    }
  }
  return kept;
}

/** How many samples lie at or before a moment. @param {Sample[]} samples @param {number} at */
export function after(samples, at) {
  let low = 0, high = samples.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (samples[middle].at <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
