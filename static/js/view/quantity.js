// @ts-check
// A number and its unit as people read them. The pages' Go has the same in
// package web, for who reads without script.

const large = ['', 'k', 'M', 'G', 'T'];

/** @param {number} value @param {string} unit "ms", "B/s", "req/s", "%", … or none @returns {string} */
export function quantity(value, unit) {
  if (!Number.isFinite(value)) return '–';
  switch (unit) {
    case 'ns': return time(value / 1e6);
    case 'us': case 'µs': return time(value / 1e3);
    case 'ms': return time(value);
    case 's': return value !== 0 && Math.abs(value) < 1 ? time(value * 1000) : `${figure(value)} s`;
    case 'B': case 'B/s': case 'bit/s': return scaled(value, unit);
    case 'kbit/s': return scaled(value * 1000, 'bit/s');
    case 'port': return String(value); // a name, not an amount
  }
  return unit ? `${figure(value)} ${unit}` : figure(value);
}

/** @param {number} value @param {string} unit */
function scaled(value, unit) {
  let i = 0;
  for (; Math.abs(value) >= 999.5 && i < large.length - 1; i++) value /= 1000;
  return `${figure(value)} ${large[i]}${unit}`;
}

/** @param {number} ms */
function time(ms) {
  const size = Math.abs(ms);
  if (size !== 0 && size < 0.1) return `${figure(ms * 1000)} µs`;
  return size >= 10_000 ? `${figure(ms / 1000)} s` : `${figure(ms)} ms`;
}

/** Whole numbers whole, others to three digits; thousands apart. @param {number} value */
export function figure(value) {
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  let text = value.toFixed(digits);
  if (digits > 0) text = text.replace(/\.?0+$/, '');
  if (text === '-0') text = '0';
  const [whole, part] = text.split('.');
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, '\u2009') : whole;
  return part ? `${grouped}.${part}` : grouped;
}
