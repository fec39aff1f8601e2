// CSV as spreadsheets and programs read it: UTF-8 with BOM, RFC 4180, exact decimals, stored values.
// Belongs here: escaping and the download. Not here: which columns a card has.

// Text that a spreadsheet would run as a formula gets an apostrophe; numbers are never text.
const guarded = (text) => (/^[\s]*[=+\-@\t\r\n]/.test(text) ? `'${text}` : text);
const quoted = (text) => (/[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text);

AIU.csv = (table) => {
  const line = (cells) => cells.join(",");
  const head = table.columns.map((c) => quoted(guarded(c.csv)));
  const body = table.rows.map((row) => row.cells.map((cell, i) => {
    if (table.columns[i].unit) return cell ? quoted(cell.exact) : "";
    return cell === null ? "" : quoted(guarded(cell));
  }));
  return `\uFEFF${[head, ...body].map(line).join("\r\n")}\r\n`;
};

AIU.download = (name, content) => {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: "text/csv;charset=utf-8" }));
  const link = AIU.el("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
};
