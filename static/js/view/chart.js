// @ts-check
// Lines over time. Each series has its own colour and its own dash; the values
// stand in a table below for who cannot see, or wants to copy, them.
import { onWidth, svg, unit } from './svg.js';
import { table } from './table.js';

/** @typedef {{at: number, value: number}} Sample at: seconds */
/** @typedef {{name: string, look: 'ice'|'channel'|'up'|'down', samples: Sample[]}} Series look: its colour and dash, in the style sheet */

export class Chart {
  #root = svg('svg', { role: 'img', class: 'plot' });
  #legend = document.createElement('p');
  #values = document.createElement('div');
  #details = document.createElement('details');
  #container;
  #options;
  /** @type {Series[]} */
  #series = [];

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
    onWidth(container, () => this.draw(this.#series));
  }

  /** @param {Series[]} series */
  draw(series) {
    this.#series = series;
    const width = this.#container.clientWidth;
    if (width === 0) return; // not shown
    const k = unit();
    const box = { left: 4 * k, right: width - 4 * k, top: 10 * k, bottom: 132 * k };
    const { seconds, format, title, empty } = this.#options;
    const all = series.flatMap((s) => s.samples);
    const end = Math.max(0, ...all.map((s) => s.at));
    const first = Math.min(end, ...all.map((s) => s.at));
    // A short past fills the width; a minute of nothing beside it would say nothing.
    const start = seconds > 0 ? end - Math.min(seconds, Math.max(20, end - first)) : first;
    const top = ceiling(Math.max(0, ...all.filter((s) => s.at >= start).map((s) => s.value)));
    /** @param {number} at */
    const x = (at) => box.left + ((at - start) / Math.max(end - start, 1)) * (box.right - box.left);
    /** @param {number} value */
    const y = (value) => box.bottom - (value / top) * (box.bottom - box.top);

    const marks = [];
    for (const part of [0, 0.5, 1]) {
      const level = y(top * part);
      marks.push(svg('path', { class: 'grid', d: `M${box.left} ${level}H${box.right}` }));
      if (part > 0 && all.length > 0) marks.push(svg('text', { class: 'axis', x: box.left, y: level + 13 * k }, format(top * part)));
    }
    if (all.length > 0) {
      marks.push(svg('text', { class: 'axis', x: box.left, y: box.bottom + 15 * k }, `−${Math.round(end - start)} s`));
      marks.push(svg('text', { class: 'axis', x: box.right, y: box.bottom + 15 * k, 'text-anchor': 'end' }, 'now'));
    } else {
      marks.push(svg('text', { class: 'axis', x: width / 2, y: 76 * k, 'text-anchor': 'middle' }, empty));
    }
    series.forEach((s) => {
      const shown = s.samples.filter((p) => p.at >= start);
      if (shown.length === 0) return;
      const d = shown.map((p, n) => `${n ? 'L' : 'M'}${x(p.at).toFixed(1)} ${y(p.value).toFixed(1)}`).join('');
      const last = shown[shown.length - 1];
      marks.push(svg('path', { class: 'series', 'data-look': s.look, d }));
      marks.push(svg('circle', { class: 'head', 'data-look': s.look, cx: x(last.at), cy: y(last.value), r: 3.2 * k }));
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
    this.#legend.replaceChildren(...this.#series.map((s) => {
      const entry = document.createElement('span');
      const sign = svg('svg', { width: 22, height: 8, 'aria-hidden': 'true' }, svg('path', { class: 'series', 'data-look': s.look, d: 'M1 4h20' }));
      const value = document.createElement('strong');
      value.textContent = latest(s, this.#options.format);
      entry.append(sign, ` ${s.name} `, value);
      return entry;
    }));
  }

  #table() {
    if (!this.#details.open) return;
    const longest = this.#series.reduce((a, b) => (b.samples.length > a.length ? b.samples : a), /** @type {Sample[]} */ ([]));
    table(this.#values, {
      caption: `${this.#options.title}, the last ${Math.min(20, longest.length)} values`,
      columns: [{ title: 'Second', numeric: true }, ...this.#series.map((s) => ({ title: s.name, numeric: true }))],
      rows: longest.slice(-20).reverse().map(({ at }) => ({
        cells: [at.toFixed(1), ...this.#series.map((s) => {
          const found = s.samples.find((p) => p.at === at);
          return found ? this.#options.format(found.value) : '';
        })],
      })),
      empty: this.#options.empty,
    });
  }
}

/** @param {Series} series @param {(value: number) => string} format */
function latest(series, format) {
  const last = series.samples[series.samples.length - 1];
  return last ? format(last.value) : 'nothing yet';
}

/** The next round number, so that the scale does not jump with every value. @param {number} value */
function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 3, 4, 5, 7.5, 10].find((s) => s * power >= value) ?? 10;
  return step * power;
}
