// @ts-check
// Lines over time, or against another quantity. Each series has its own colour and its own dash; the values
// stand in a table below for who cannot see, or wants to copy, them.
import { thin } from './series.js';
import { onWidth, svg, unit } from './svg.js';
import { table } from './table.js';

/** @typedef {{at: number, value: number}} Sample at: seconds, or as much of the quantity that the axis is of */
/** @typedef {{name: string, look: string, held?: boolean, samples: Sample[]}} Series look: its colour and dash, in the style sheet; held: a value holds until the next */
/** @typedef {{name: string, from: number, to: number, ticks: (most: number) => number[], text: (at: number) => string, dots: boolean}} Axis what is shown, as samples have it; dots: one for each sample */

/** More lines than this have no name of their own below the plot. */
const named = 12;

export class Chart {
  #root = svg('svg', { role: 'img', class: 'plot' });
  #legend = document.createElement('p');
  #values = document.createElement('div');
  #details = document.createElement('details');
  #container;
  #options;
  /** @type {Series[]} */
  #series = [];
  /** @type {Axis|null} */
  #axis = null;

  /**
   * @param {HTMLElement} container
   * @param {{title: string, format: (value: number) => string, seconds: number, empty: string}} options
   *   seconds: how much of the past is shown; 0 shows everything
   */
  constructor(container, options) {
    this.#container = container;
    this.#options = options;
    this.#legend.className = 'legend';
    const summary = document.createElement('summary');
    summary.textContent = 'Values as a table';
    this.#details.append(summary, this.#values);
    this.#details.addEventListener('toggle', () => this.#table());
    container.append(this.#legend, this.#root, this.#details);
    onWidth(container, () => this.draw(this.#series, this.#axis));
  }

  /** @param {string} title */
  set title(title) { this.#options.title = title; }
  /** @param {(value: number) => string} format */
  set format(format) { this.#options.format = format; }

  /** @param {Series[]} series @param {Axis|null} [axis] without one the last seconds are shown */
  draw(series, axis = null) {
    this.#series = series;
    this.#axis = axis;
    const width = this.#container.clientWidth;
    if (width === 0) return; // not shown
    const k = unit();
    const box = { left: 4 * k, right: width - 4 * k, top: 10 * k, bottom: 132 * k };
    const { seconds, format, title, empty } = this.#options;
    const any = series.some((s) => s.samples.length > 0);
    let start = 0, end = 0;
    if (axis) [start, end] = [axis.from, axis.to];
    else {
      end = Math.max(0, ...series.map((s) => s.samples[s.samples.length - 1]?.at ?? 0));
      const first = Math.min(end, ...series.map((s) => s.samples[0]?.at ?? end));
      // A short past fills the width; a minute of nothing beside it would say nothing.
      start = seconds > 0 ? end - Math.min(seconds, Math.max(20, end - first)) : first;
    }
    const shown = series.map((s) => thin(s.samples, start, end, Math.ceil(width)));
    const values = shown.flatMap((list) => list.map((p) => p.value));
    const whole = values.every(Number.isInteger), least = values.reduce((a, b) => Math.min(a, b), 0);
    const top = ceiling(values.reduce((a, b) => Math.max(a, b), 0), whole), bottom = least < 0 ? -ceiling(-least, whole) : 0;
    /** @param {number} at */
    const x = (at) => box.left + ((at - start) / Math.max(end - start, axis ? 1e-6 : 1)) * (box.right - box.left);
    /** @param {number} value */
    const y = (value) => box.bottom - ((value - bottom) / (top - bottom)) * (box.bottom - box.top);

    const marks = [];
    for (const part of [0, 0.5, 1]) {
      const value = bottom + (top - bottom) * part, level = y(value);
      marks.push(svg('path', { class: 'grid', d: `M${box.left} ${level}H${box.right}` }));
      if ((part > 0 || bottom < 0) && any) marks.push(svg('text', { class: 'axis', x: box.left, y: level + (part > 0 ? 13 : -4) * k }, format(value)));
    }
    if (any && axis) {
      for (const at of axis.ticks(width / (90 * k))) {
        const where = x(at);
        marks.push(svg('path', { class: 'grid', d: `M${where} ${box.top}V${box.bottom}` }));
        marks.push(svg('text', { class: 'axis', x: where, y: box.bottom + 15 * k, 'text-anchor': where < 30 * k ? 'start' : where > width - 30 * k ? 'end' : 'middle' }, axis.text(at)));
      }
    } else if (any) {
      marks.push(svg('text', { class: 'axis', x: box.left, y: box.bottom + 15 * k }, `−${Math.round(end - start)} s`));
      marks.push(svg('text', { class: 'axis', x: box.right, y: box.bottom + 15 * k, 'text-anchor': 'end' }, 'now'));
    } else {
      marks.push(svg('text', { class: 'axis', x: width / 2, y: 76 * k, 'text-anchor': 'middle' }, empty));
    }
    series.forEach((s, i) => {
      const list = shown[i];
      if (list.length === 0) return;
      const d = list.map((p, n) => (n && s.held ? `H${x(p.at).toFixed(1)}V${y(p.value).toFixed(1)}` : `${n ? 'L' : 'M'}${x(p.at).toFixed(1)} ${y(p.value).toFixed(1)}`)).join('');
      const last = list[list.length - 1];
      marks.push(svg('path', { class: 'series', 'data-look': s.look, d: s.held && last.at < end ? `${d}H${x(end).toFixed(1)}` : d }));
      for (const p of axis?.dots ? list : [last]) {
        if (p.at <= end) marks.push(svg('circle', { class: 'head', 'data-look': s.look, cx: x(p.at), cy: y(p.value), r: 3.2 * k }));
      }
    });
    this.#root.setAttribute('viewBox', `0 0 ${width} ${152 * k}`);
    this.#root.setAttribute('height', String(152 * k));
    this.#root.setAttribute('width', String(width));
    this.#root.setAttribute('aria-label', title + ': ' + series.map((s) => `${s.name} ${latest(s, format)}`).join(', '));
    this.#root.replaceChildren(...marks);
    this.#key();
    if (this.#details.open) this.#table();
  }

  #key() {
    const more = this.#series.length - named;
    this.#legend.replaceChildren(...this.#series.slice(0, named).map((s) => {
      const entry = document.createElement('span');
      const sign = svg('svg', { width: 22, height: 8, 'aria-hidden': 'true' }, svg('path', { class: 'series', 'data-look': s.look, d: 'M1 4h20' }));
      const value = document.createElement('strong');
      value.textContent = latest(s, this.#options.format);
      entry.append(sign, ` ${s.name} `, value);
      return entry;
    }), ...(more > 0 ? [`and ${more} more`] : []));
  }

  #table() {
    if (!this.#details.open) return;
    const rows = this.#series.flatMap((s) => s.samples.slice(-50).map((p) => ({ at: p.at, name: s.name, text: this.#options.format(p.value) })))
      .sort((a, b) => b.at - a.at).slice(0, 100);
    table(this.#values, {
      caption: `${this.#options.title}, the last ${rows.length} values`,
      columns: [{ title: this.#axis?.name ?? 'Second', numeric: true }, { title: 'What' }, { title: 'Value', numeric: true }],
      rows: rows.map(({ at, name, text }) => ({ cells: [this.#axis?.dots ? this.#axis.text(at) : at.toFixed(2), name, text] })),
      empty: this.#options.empty,
    });
  }
}

/** A moment of a run. @param {number} ms */
export function moment(ms) {
  if (ms === 0) return '0';
  return ms >= 1000 ? `${+(ms / 1000).toFixed(3)} s` : `${+ms.toFixed(3)} ms`;
}

/** @param {Series} series @param {(value: number) => string} format */
function latest(series, format) {
  const last = series.samples[series.samples.length - 1];
  return last ? format(last.value) : 'nothing yet';
}

/** The next round number, so that the scale does not jump with every value. @param {number} value @param {boolean} whole its half must be whole too */
function ceiling(value, whole) {
  if (value <= 0) return whole ? 2 : 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = (whole && power === 1 ? [2, 4, 6, 8, 10] : [1, 1.5, 2, 3, 4, 5, 7.5, 10]).find((s) => s * power >= value) ?? 10;
  return step * power;
}
