// @ts-check
// A table of plain values, redrawn only when they change.

/** @typedef {{title: string, numeric?: boolean, mono?: boolean}} Column */
/** @typedef {{cells: string[], attrs?: Record<string, string>}} Row attrs: data-… of the row */

/**
 * @param {HTMLElement} container
 * @param {{caption: string, columns: Column[], rows: Row[], empty: string}} what
 */
export function table(container, { caption, columns, rows, empty }) {
  const content = JSON.stringify([caption, rows]);
  if (container.dataset.content === content) return;
  container.dataset.content = content;
  if (rows.length === 0) {
    const note = document.createElement('p');
    note.className = 'empty';
    note.textContent = empty;
    container.replaceChildren(note);
    return;
  }
  const made = document.createElement('table');
  made.createCaption().textContent = caption;
  const head = made.createTHead().insertRow();
  for (const column of columns) {
    const th = document.createElement('th');
    th.scope = 'col';
    th.textContent = column.title;
    if (column.numeric) th.className = 'num';
    head.append(th);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const tr = body.insertRow();
    for (const [name, value] of Object.entries(row.attrs ?? {})) tr.setAttribute(name, value);
    row.cells.forEach((text, i) => {
      const td = tr.insertCell();
      td.textContent = text;
      td.className = [columns[i].numeric && 'num', columns[i].mono && 'mono'].filter(Boolean).join(' ');
    });
  }
  container.replaceChildren(made);
}
