// @ts-check
// The waterfall: a bar for each span, from when it began to when it ended, by
// lane, what lies within another indented. Only the bars in sight are drawn.
import { el } from '../page/dom.js';
import { moment } from './chart.js';
import { clip, time } from './ladder-marks.js';
import { LongTable } from './longtable.js';
import { Range } from './range.js';
import { rangeKey, rangeTools } from './rangetools.js';
import { Spans } from './spans.js';
import { onWidth, set, svg, unit } from './svg.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

const rowHeight = 24, spare = 6, names = 0.3;

export class Waterfall {
  label = 'Waterfall';
  #spans = new Spans();
  #range = new Range();
  #container;
  #choose;
  #chosen = -1;
  #axis = svg('svg', { class: 'fall-axis', 'aria-hidden': 'true' });
  #scroll = el('div', { class: 'fall-scroll', tabindex: '0', role: 'region', 'aria-label': 'Waterfall of spans; arrow keys go from bar to bar' });
  #sheet = el('div', { class: 'fall-sheet' });
  #root = svg('svg', { 'aria-hidden': 'true' });
  #tableBox = el('div');
  #empty = el('p', { class: 'empty' }, 'No operation has begun yet.');
  /** @type {LongTable|null} */
  #table = null;
  #asTable = false;
  #now = 0;

  /** @param {HTMLElement} container @param {(event: Event|null) => void} choose */
  constructor(container, choose) {
    this.#container = container;
    this.#choose = choose;
    const tools = rangeTools(this.#range, this.#scroll, () => this.draw(), names);
    const box = el('input', { type: 'checkbox' });
    box.addEventListener('change', () => { this.#asTable = box.checked; this.draw(); });
    tools.append(el('label', { class: 'check' }, box, el('span', {}, 'as a table')));
    this.#sheet.append(this.#root);
    this.#scroll.append(this.#axis, this.#sheet);
    container.append(tools, this.#scroll, this.#tableBox, this.#empty);
    this.#scroll.addEventListener('scroll', () => this.#window());
    this.#scroll.addEventListener('keydown', (e) => this.#keys(e));
    this.#root.addEventListener('click', (e) => {
      const row = e.target instanceof Element ? e.target.closest('[data-row]') : null;
      if (row) this.#pick(Number(row.getAttribute('data-row')));
    });
    onWidth(container, () => this.draw());
  }

  get count() { return this.#spans.count; }

  reset() {
    this.#spans = new Spans();
    this.#pick(-1);
  }

  /** @param {Event} event */
  push(event) { this.#spans.add(event); }

  /** @param {string} key */
  key(key) { return rangeKey(this.#range, key, () => this.draw()); }

  draw(now = this.#now) {
    this.#now = now;
    const lines = this.#spans.lines, width = this.#scroll.clientWidth || this.#container.clientWidth;
    this.#range.grow(this.#spans.extent(now));
    this.#empty.hidden = lines.length > 0;
    this.#scroll.hidden = lines.length === 0 || this.#asTable;
    this.#tableBox.hidden = lines.length === 0 || !this.#asTable;
    if (lines.length === 0 || width === 0) return;
    if (this.#asTable) return this.#drawTable();
    const k = unit(), height = rowHeight * k;
    this.#sheet.style.height = `${lines.length * height}px`;
    set(this.#axis, { width, height: 26 * k, viewBox: `0 0 ${width} ${26 * k}` });
    this.#axis.replaceChildren(...this.#range.ticks((width * (1 - names)) / (80 * k)).map((at) =>
      svg('text', { class: 'axis', x: this.#x(at, width), y: 17 * k, 'text-anchor': 'middle' }, moment(at))));
    this.#window();
  }

  /** @param {number} at milliseconds @param {number} width */
  #x(at, width) {
    const left = width * names, right = width - 12 * unit();
    return left + ((at - this.#range.from) / (this.#range.to - this.#range.from)) * (right - left);
  }

  #window() {
    const lines = this.#spans.lines, k = unit(), height = rowHeight * k, width = this.#scroll.clientWidth;
    if (width === 0) return;
    const first = Math.max(0, Math.floor(this.#scroll.scrollTop / height) - spare);
    const last = Math.min(lines.length, Math.ceil((this.#scroll.scrollTop + this.#scroll.clientHeight) / height) + spare);
    const tall = Math.max(0, (last - first) * height), left = width * names;
    set(this.#root, { width, height: tall, viewBox: `0 0 ${width} ${tall}` });
    this.#root.style.top = `${first * height}px`;
    const drawn = this.#range.ticks((width - left) / (80 * k)).map((at) => svg('path', { class: 'grid', d: `M${this.#x(at, width)} 0V${tall}` }));
    for (let i = first; i < last; i++) {
      const line = lines[i], y = (i - first) * height;
      if (line.kind === 'lane') {
        drawn.push(/** @type {any} */ (svg('text', { class: 'fall-lane', x: 4 * k, y: y + 17 * k }, clip(line.lane.replace('/', ' · ') || 'the run', 60))));
        continue;
      }
      drawn.push(/** @type {any} */ (this.#bar(line, i, y, width, k)));
    }
    this.#root.replaceChildren(...drawn);
  }

  /** @param {{bar: import('./spans.js').Bar, alone: boolean}} line @param {number} index @param {number} y @param {number} width @param {number} k */
  #bar({ bar, alone }, index, y, width, k) {
    const left = width * names, right = width - 12 * k, height = rowHeight * k;
    const inset = alone ? 4 * k : 12 * k + Math.min(12 * k * bar.depth, left / 4), room = Math.max(3, Math.floor((left - inset - 6 * k) / (6.7 * k)));
    const end = bar.end ?? this.#now;
    const a = Math.max(left, this.#x(bar.begin, width)), b = Math.min(right, this.#x(end, width));
    const g = svg('g', { class: 'bar-row', 'data-layer': bar.layer, 'data-row': index, 'data-open': String(bar.end === null), 'data-chosen': String(index === this.#chosen) },
      svg('title', {}, `${bar.name}: ${time(end - bar.begin)}${bar.text ? ', ' + bar.text : ''}`),
      svg('rect', { class: 'hit', x: 0, y, width, height }),
      svg('text', { class: 'fall-name', x: inset, y: y + 16 * k }, ...this.#name(bar, alone, room)));
    if (b >= left && a <= right) {
      g.append(svg('rect', { class: 'fall-bar', x: a, y: y + 5 * k, width: Math.max(2 * k, b - a), height: height - 10 * k, rx: 3 * k }));
      const words = `${time(end - bar.begin)}${bar.end === null ? ', going on' : bar.text ? ' ' + bar.text : ''}`;
      const after = right - b > 120 * k;
      const space = (after ? right - b : b - a) - 10 * k;
      if (space > 40 * k) g.append(svg('text', { class: after ? 'fall-time' : 'fall-time within', x: after ? b + 6 * k : a + 6 * k, y: y + 16 * k }, clip(words, Math.floor(space / (6.2 * k)))));
    }
    return g;
  }

  /** @param {import('./spans.js').Bar} bar @param {boolean} alone @param {number} room letters */
  #name(bar, alone, room) {
    if (!alone || !bar.lane) return [clip(bar.name, room)];
    const lane = clip(bar.lane.replace('/', ' · '), room);
    return [svg('tspan', { class: 'fall-lane' }, lane), ...(room - lane.length > 5 ? [' ' + clip(bar.name, room - lane.length - 1)] : [])];
  }

  /** @param {number} index */
  #pick(index) {
    this.#chosen = index === this.#chosen ? -1 : index;
    const line = this.#spans.lines[this.#chosen];
    this.#choose(line?.kind === 'bar' ? line.bar.event : null);
    this.#window();
  }

  /** @param {KeyboardEvent} e */
  #keys(e) {
    const lines = this.#spans.lines, step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (!step) return;
    e.preventDefault();
    let to = this.#chosen < 0 ? (step > 0 ? -1 : lines.length) : this.#chosen;
    do to += step; while (lines[to]?.kind === 'lane');
    if (!lines[to]) return;
    this.#chosen = -1;
    this.#pick(to);
    const height = rowHeight * unit(), top = to * height;
    if (top < this.#scroll.scrollTop) this.#scroll.scrollTop = top;
    else if (top + 2.5 * height > this.#scroll.scrollTop + this.#scroll.clientHeight) this.#scroll.scrollTop = top + 2.5 * height - this.#scroll.clientHeight;
  }

  #drawTable() {
    const bars = this.#spans.lines.flatMap((line) => (line.kind === 'bar' ? [line.bar] : []));
    this.#table ??= new LongTable(this.#tableBox, {
      columns: [{ title: 'Lane' }, { title: 'What' }, { title: 'Began', numeric: true }, { title: 'Took', numeric: true }, { title: 'Ended' }], label: 'All spans as a table', follow: false,
    });
    this.#table.show({
      of: {}, count: bars.length, caption: `${bars.length} spans`,
      row: (i) => {
        const { lane, name, depth, begin, end, text, layer } = bars[i];
        return { cells: [lane, '· '.repeat(depth) + name, time(begin), end === null ? 'going on' : time(end - begin), text], attrs: { 'data-layer': layer } };
      },
    });
  }
}
