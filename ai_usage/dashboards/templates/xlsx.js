// XLSX as spreadsheets open it: one sheet of typed cells and one that says what it shows, in a zip without compression.
// Belongs here: the few parts of the format that a table needs (about 4 KB; the smallest well-kept library is 280 KB and would be most of the
// page's own script). Not here: which columns a card has. Values are stored values and exact decimals, as in the CSV file; a spreadsheet
// itself keeps 15 digits of a number.

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32(bytes) {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC[(c ^ byte) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

// [[name, text]] -> the bytes of a zip archive; its time is fixed, so that the same figures give the same file.
AIU.zip = (files) => {
  const encoder = new TextEncoder();
  const [parts, directory] = [[], []];
  let offset = 0;
  const record = (signature, fields, ...tail) => {
    const view = new DataView(new ArrayBuffer(4 + fields.reduce((n, [size]) => n + size, 0)));
    view.setUint32(0, signature, true);
    let at = 4;
    for (const [size, value] of fields) {
      if (size === 2) view.setUint16(at, value, true); else view.setUint32(at, value, true);
      at += size;
    }
    return [new Uint8Array(view.buffer), ...tail];
  };
  for (const [name, text] of files) {
    const [path, data] = [encoder.encode(name), encoder.encode(text)];
    // Version 2.0, names in UTF-8, stored, 1 January 1980.
    const common = [[2, 20], [2, 0x0800], [2, 0], [2, 0], [2, 33], [4, crc32(data)], [4, data.length], [4, data.length], [2, path.length], [2, 0]];
    const local = record(0x04034b50, common, path, data);
    directory.push(...record(0x02014b50, [[2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]], path));
    parts.push(...local);
    offset += local.reduce((n, piece) => n + piece.length, 0);
  }
  const size = directory.reduce((n, piece) => n + piece.length, 0);
  const end = record(0x06054b50, [[2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset], [2, 0]]);
  return new Blob([...parts, ...directory, ...end], { type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" });
};

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml";
const FORMATS = "http://schemas.openxmlformats.org";
// What XML 1.0 cannot hold is replaced; a cell holds 32,767 characters.
const safe = (text) => String(text).slice(0, 32767).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
  .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
const STYLE = { head: 1, money: 2, pct: 3, date: 4, timestamp: 5, count: 6, fine: 7, term: 0 };
const styleOf = (unit) => {
  if (unit in STYLE) return STYLE[unit];
  if (unit.startsWith("usd")) return unit === "usd" || unit === "usd_per_person" ? STYLE.money : STYLE.fine;
  return STYLE.count;
};
const serial = (iso) => (Date.parse(iso.length === 10 ? `${iso}T00:00:00Z` : iso) - Date.UTC(1899, 11, 30)) / 86400000;
const letters = (n) => (n < 26 ? "" : letters(Math.floor(n / 26) - 1)) + String.fromCharCode(65 + (n % 26));
const textCell = (at, text, style = 0) => `<c r="${at}" t="inlineStr" s="${style}"><is><t xml:space="preserve">${safe(text)}</t></is></c>`;
const numberCell = (at, value, style) => `<c r="${at}" s="${style}"><v>${value}</v></c>`;

function cellOf(at, column, cell) {
  if (cell === null || cell === undefined) return "";
  if (!column.unit) return /^\d{4}-\d\d-\d\d$/.test(cell) ? numberCell(at, serial(cell), STYLE.date) : textCell(at, cell);
  if (column.unit === "date" || column.unit === "timestamp") return numberCell(at, serial(cell.exact), styleOf(column.unit));
  return numberCell(at, cell.exact, styleOf(column.unit));
}

function sheet(rows, widths, filtered) {
  const cols = widths.map((w, i) => `<col min="${i + 1}" max="${i + 1}" width="${w}" customWidth="1"/>`).join("");
  const pane = filtered ? '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' : "";
  const range = `A1:${letters(widths.length - 1)}${rows.length}`;
  return `${XML}<worksheet xmlns="${FORMATS}/spreadsheetml/2006/main"><dimension ref="${range}"/><sheetViews><sheetView workbookViewId="0">${pane}</sheetView></sheetViews>`
    + `<cols>${cols}</cols><sheetData>${rows.map((cells, i) => `<row r="${i + 1}">${cells}</row>`).join("")}</sheetData>`
    + `${filtered ? `<autoFilter ref="${range}"/>` : ""}</worksheet>`;
}

const STYLES = `${XML}<styleSheet xmlns="${FORMATS}/spreadsheetml/2006/main"><numFmts count="3"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>`
  + '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd hh:mm"/><numFmt numFmtId="166" formatCode="#,##0.0000"/></numFmts>'
  + '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
  + '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
  + '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
  + '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="8">'
  + [[0, 0], [0, 1], [4, 0], [10, 0], [164, 0], [165, 0], [3, 0], [166, 0]].map(([format, font]) => `<xf numFmtId="${format}" fontId="${font}" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>`).join("")
  + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>';

// `about`: [[name, text]] for the second sheet.
AIU.xlsx = (table, about) => {
  const head = table.columns.map((c, i) => textCell(`${letters(i)}1`, c.csv, STYLE.head)).join("");
  const body = table.rows.map((row, r) => row.cells.map((cell, i) => cellOf(`${letters(i)}${r + 2}`, table.columns[i], cell)).join(""));
  const widths = table.columns.map((c) => Math.min(40, Math.max(12, c.csv.length + 2)));
  const notes = about.map(([name, text], r) => textCell(`A${r + 1}`, name, STYLE.head) + textCell(`B${r + 1}`, text));
  const part = (name, type) => `<Override PartName="${name}" ContentType="${SPREADSHEET}.${type}+xml"/>`;
  const link = (id, type, target) => `<Relationship Id="${id}" Type="${FORMATS}/officeDocument/2006/relationships/${type}" Target="${target}"/>`;
  const links = (...all) => `${XML}<Relationships xmlns="${FORMATS}/package/2006/relationships">${all.join("")}</Relationships>`;
  return AIU.zip([
    ["[Content_Types].xml", `${XML}<Types xmlns="${FORMATS}/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>`
      + `<Default Extension="xml" ContentType="application/xml"/>${part("/xl/workbook.xml", "sheet.main")}${part("/xl/worksheets/sheet1.xml", "worksheet")}`
      + `${part("/xl/worksheets/sheet2.xml", "worksheet")}${part("/xl/styles.xml", "styles")}</Types>`],
    ["_rels/.rels", links(link("rId1", "officeDocument", "xl/workbook.xml"))],
    ["xl/workbook.xml", `${XML}<workbook xmlns="${FORMATS}/spreadsheetml/2006/main" xmlns:r="${FORMATS}/officeDocument/2006/relationships"><sheets>`
      + '<sheet name="Figures" sheetId="1" r:id="rId1"/><sheet name="About" sheetId="2" r:id="rId2"/></sheets></workbook>'],
    ["xl/_rels/workbook.xml.rels", links(link("rId1", "worksheet", "worksheets/sheet1.xml"), link("rId2", "worksheet", "worksheets/sheet2.xml"), link("rId3", "styles", "styles.xml"))],
    ["xl/styles.xml", STYLES],
    ["xl/worksheets/sheet1.xml", sheet([head, ...body], widths, true)],
    ["xl/worksheets/sheet2.xml", sheet(notes, [22, 90], false)],
  ]);
};
