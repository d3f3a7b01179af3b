// @ts-check
// Charts of a run: one for each unit, all over the same stretch of time.
import { el } from '../page/dom.js';
import { Chart } from './chart.js';
import { quantity } from './quantity.js';
import { Range } from './range.js';
import { Series } from './series.js';
import { rangeKey, rangeTools } from './rangetools.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

const looks = 8;

export class Plots {
  label = 'Charts';
  #range = new Range();
  #series = new Series();
  #body = el('div', { class: 'plots' });
  #empty = el('p', { class: 'empty' }, 'Nothing has been measured yet.');
  /** @type {{chart: Chart, box: HTMLElement, title: HTMLElement}[]} */
  #charts = [];

  /** @param {HTMLElement} container */
  constructor(container) {
    container.append(rangeTools(this.#range, this.#body, () => this.draw()), this.#body, this.#empty);
  }

  get count() { return this.#series.count; }

  reset() { this.#series = new Series(); }

  /** @param {Event} event */
  push(event) { this.#series.add(event); }

  draw() {
    const { plots, last } = this.#series;
    this.#empty.hidden = plots.length > 0;
    this.#range.grow(last);
    while (this.#charts.length > plots.length) this.#charts.pop()?.box.remove();
    plots.forEach((plot, i) => {
      const made = this.#charts[i] ??= this.#chart();
      const title = plot.unit && !plot.title.includes(plot.unit) ? `${plot.title}, ${plot.unit}` : plot.title;
      if (made.title.textContent !== title) made.title.textContent = title;
      made.chart.title = title;
      made.chart.format = (value) => quantity(value, plot.unit);
      made.chart.draw(plot.lines.map((line, n) => ({ name: line.label, look: String(n % looks), samples: line.samples })), this.#range);
    });
  }

  /** @param {string} key */
  key(key) { return rangeKey(this.#range, key, () => this.draw()); }

  #chart() {
    const title = el('h3'), inner = el('div', { class: 'chart' });
    const box = el('section', {}, title, inner);
    this.#body.append(box);
    return { box, title, chart: new Chart(inner, { title: '', format: String, seconds: 0, empty: '' }) };
  }
}
