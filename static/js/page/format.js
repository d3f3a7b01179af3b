// @ts-check
// Numbers as people read them, each with its unit.

const steps = ['B', 'kB', 'MB', 'GB', 'TB'];

/** @param {number} n bytes */
export function bytes(n) {
  let value = n, i = 0;
  while (value >= 999.5 && i < steps.length - 1) { value /= 1000; i++; }
  return `${i === 0 ? Math.round(value) : three(value)} ${steps[i]}`;
}

/** Throughput in bits, the way lines are sold. @param {number} n bytes a second */
export function rate(n) {
  let value = n * 8, i = 0;
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'];
  while (value >= 999.5 && i < units.length - 1) { value /= 1000; i++; }
  return `${i === 0 ? Math.round(value) : three(value)} ${units[i]}`;
}

/** @param {number} value milliseconds */
export function ms(value) {
  if (value >= 9995) return `${three(value / 1000)} s`;
  if (value < 0.05) return '< 0.1 ms';
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** @param {number} s seconds */
export function span(s) {
  if (s < 1) return 'under a second';
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

/** @param {number} at milliseconds since the epoch */
export function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/** Three digits that matter. @param {number} value */
function three(value) {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}
