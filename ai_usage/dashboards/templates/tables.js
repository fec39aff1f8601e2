// Tables: the one tabular view of a card (also of charts, and of CSV files), sorting, bars of share, the heat map.
// Belongs here: rows and cells. Not here: figures. A cell is stored text (or null), or a figure (or null).

const PAGE = 200;
const MONTHS = 13; // the newest of a heat map: a year beside the same month of the one before

function textColumn(dashboard, card, dimension, grain) {
  const named = (value) => (/^\d{4}-\d\d-\d\d$/.test(value ?? "") ? AIU.day(value) : AIU.label(dashboard, dimension.column, value));
  const show = (value) => (dimension.grain ? AIU.bucketLabel(value, grain) : named(value));
  const auto = dimension.grain === "auto";
  const label = auto ? { day: "Day", week: "Week", month: "Month" }[grain] : dimension.label;
  return { key: dimension.column, label, csv: label, show, narrow: (value, text) => AIU.narrowing(dashboard, card, dimension.column, value, text) };
}

function figureColumn(measure, label = measure.label, key = measure.key) {
  const unit = measure.unit;
  return { key, label, unit, share: Boolean(measure.share), limit: measure.limit, csv: AIU.withUnit({ label, unit }, " (", ")", "fraction") };
}

const grainOf = (dimension, result) => (dimension.grain === "auto" ? result.grain : dimension.grain);

// {columns, rows: [{keys, cells}], total: cells|null} in the card's own order.
AIU.table = (dashboard, card, result) => {
  const columns = [
    ...card.group_by.map((d) => textColumn(dashboard, card, d, grainOf(d, result))),
    ...card.measures.map((m) => figureColumn(m)),
  ];
  const rows = result.groups.map(({ keys, figures }) => ({ keys, cells: [...keys, ...card.measures.map((m) => figures[m.key])] }));
  const total = [...card.group_by.map(() => null), ...card.measures.map((m) => (m.total === false ? null : result.total[m.key]))];
  if (result.before) addChange(card, result, columns, rows, total);
  if (card.pivot) {
    const [measure] = card.measures;
    const values = AIU.ordered(dashboard, card.pivot.column, result.pivotTotal.map((g) => g.keys[0]));
    const key = JSON.stringify;
    const found = new Map(result.pivot.map(({ keys, figures }) => [key(keys), figures[measure.key]]));
    const totals = new Map(result.pivotTotal.map(({ keys, figures }) => [keys[0], figures[measure.key]]));
    for (const value of values) {
      const label = AIU.label(dashboard, card.pivot.column, value);
      columns.push(figureColumn(measure, label, `pivot:${value}`));
      for (const row of rows) row.cells.push(found.get(key([...row.keys, value])) ?? null);
      total.push(AIU.adds(measure) ? totals.get(value) ?? null : null);
    }
  }
  const rank = card.group_by.map((d) => new Map(AIU.ordered(dashboard, d.column, new Set(rows.map((r) => r.keys[card.group_by.indexOf(d)]))).map((v, i) => [v, i])));
  rows.sort((a, b) => rank.reduce((order, r, i) => order || r.get(a.keys[i]) - r.get(b.keys[i]), 0));
  const table = { columns, rows, total };
  if (card.kind === "bridge") return table; // walked from its start
  const by = card.sort?.by ?? (card.group_by.some((d) => d.grain) ? card.group_by[0].column : null);
  AIU.sortTable(table, Math.max(0, columns.findIndex((c) => c.key === by)), card.sort?.order ?? "asc");
  return table;
};

// The table as a file has it: beside each ratio what was divided by what, so that it can be worked out again.
AIU.withTerms = (card, table) => {
  const ratios = new Set(card.measures.filter((m) => m.ratio).map((m) => m.key));
  const term = (c, name) => ({ ...c, key: `${c.key}:${name}`, unit: "term", csv: `${c.label}, ${name}` });
  const parted = (cell, i) => (ratios.has(table.columns[i].key) ? [cell, ...(cell?.terms ?? [null, null])] : [cell]);
  return {
    ...table,
    columns: table.columns.flatMap((c) => (ratios.has(c.key) ? [c, term(c, "numerator"), term(c, "denominator")] : [c])),
    rows: table.rows.map((row) => ({ ...row, cells: row.cells.flatMap(parted) })),
  };
};

// The change of the first measure against the period before, after it. A group that is gone keeps a row: its cost is what changed.
function addChange(card, result, columns, rows, total) {
  const [measure] = card.measures;
  const { key, label, unit } = measure;
  const place = card.group_by.length + 1;
  const old = new Map(result.before.groups.map(({ keys, figures }) => [JSON.stringify(keys), figures[key]]));
  const here = new Set(rows.map((row) => JSON.stringify(row.keys)));
  for (const { keys, figures } of result.before.groups) {
    if (figures[key] && figures[key].units !== 0n && !here.has(JSON.stringify(keys))) rows.push({ keys, cells: [...keys, ...card.measures.map(() => null)] });
  }
  const minus = (now, was) => {
    const known = now ?? was;
    return known ? AIU.figure((now?.units ?? 0n) - (was?.units ?? 0n), known.scale) : null;
  };
  columns.splice(place, 0, { key: `${key}:change`, label: "Change", unit, signed: true, csv: AIU.withUnit({ label: `${label}, change to the period before`, unit }, " (", ")", "fraction") });
  for (const row of rows) row.cells.splice(place, 0, minus(row.cells[place - 1], old.get(JSON.stringify(row.keys)) ?? null));
  total.splice(place, 0, !AIU.adds(measure) ? null : minus(total[place - 1], result.before.total[key]));
}

// The order of `labels.yaml` first, then the alphabet: a colour never depends on what the filters leave.
AIU.ordered = (dashboard, column, values) => {
  const known = Object.keys(dashboard.labels[column] ?? {});
  const rank = (v) => (known.includes(v) ? known.indexOf(v) : known.length);
  return [...values].sort((a, b) => rank(a) - rank(b) || String(a).localeCompare(String(b), "en"));
};

AIU.sortTable = (table, index, order) => {
  const sign = order === "desc" ? -1 : 1;
  const { unit, show } = table.columns[index];
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null); // unknown stands last either way
    if (unit) return sign * (a.units !== undefined && a.scale === b.scale ? Number(a.units > b.units) - Number(a.units < b.units) : a.value - b.value);
    return sign * (/^\d{4}-\d\d-\d\d/.test(a) ? (a < b ? -1 : a > b) : show(a).localeCompare(show(b), "en", { numeric: true }));
  };
  table.rows.sort((a, b) => compare(a.cells[index], b.cells[index]));
  table.sorted = { index, order };
};

// A ratio that has a limit is over it above 1.
AIU.over = (figure) => Boolean(figure) && figure.value > 1;

function cellNode(column, cell, largest) {
  if (!column.unit) {
    const text = column.show(cell);
    const special = /^\((unattributed|no department)\)$/.test(cell ?? "");
    const sentence = text.length > 36; // cut off it would say nothing
    return AIU.el("td", { class: special ? "special" : sentence ? "sentence" : text.length > 20 ? "long" : null, title: text.length > 24 ? text : null }, column.narrow?.(cell, text) ?? text);
  }
  const node = AIU.el("td", { class: cell && cell.value <= -0.005 && !column.signed ? "num negative" : "num", title: AIU.exact(cell, column.unit) });
  if (column.share && cell) {
    node.classList.add("share");
    node.append(AIU.el("i", { class: "bar", "aria-hidden": "true", style: { "--part": largest > 0 ? Math.max(0, cell.value / largest) : 0 } }));
  }
  const text = AIU.format(cell, column.unit);
  if (column.limit && cell) {
    node.classList.add("limited");
    if (AIU.over(cell)) node.classList.add("over");
    // The mark is the limit; what is over it stands out beyond the mark.
    const whole = Math.max(1.25, Math.min(2, cell.value));
    node.append(AIU.el("i", { class: "gauge", "aria-hidden": "true", style: { "--part": Math.max(0, Math.min(1, cell.value / whole)), "--mark": 1 / whole } }));
  }
  node.append(AIU.el("span", { text: column.signed && cell && cell.value > 0 ? `+${text}` : text }));
  return node;
}

// `fold`: {column: value} of the rows that wait behind a button, such as checks that passed. Bars of share are over all rows.
AIU.tableNode = (table, caption, { total = true, fold = {} } = {}) => {
  const head = AIU.el("tr");
  const body = AIU.el("tbody");
  const more = AIU.el("button", { type: "button", class: "quiet more" });
  let shown = PAGE;
  const folding = Object.entries(fold ?? {}).map(([key, value]) => [table.columns.findIndex((c) => c.key === key), value]);
  const waits = (row) => folding.length > 0 && folding.every(([i, value]) => row.cells[i] === value);
  const waiting = table.rows.filter(waits).length;
  let open = false;
  const unfold = AIU.el("button", { type: "button", class: "quiet more", "aria-expanded": "false", hidden: !waiting, onclick: () => { open = !open; fill(); } });
  const fill = () => {
    const listed = open ? table.rows : table.rows.filter((row) => !waits(row));
    unfold.textContent = `${waiting.toLocaleString("en-US")} ${Object.values(fold ?? {}).join(", ")}. ${open ? "Hide them." : "Show them."}`;
    unfold.setAttribute("aria-expanded", String(open));
    const largest = table.columns.map((c, i) => (c.share ? Math.max(0, ...table.rows.map((r) => r.cells[i]?.value ?? 0)) : 0));
    body.replaceChildren(...listed.slice(0, shown).map((row) => AIU.el("tr", {},
      row.cells.map((cell, i) => {
        const node = cellNode(table.columns[i], cell, largest[i]);
        if (i > 0) return node;
        const th = AIU.el("th", { scope: "row", class: node.className || null, title: node.title || null }, ...node.childNodes);
        return th;
      }))));
    more.hidden = listed.length <= shown;
    more.textContent = `First ${shown} of ${listed.length.toLocaleString("en-US")} rows shown. Show all.`;
    [...head.children].forEach((th, i) => th.setAttribute("aria-sort",
      table.sorted?.index === i ? (table.sorted.order === "asc" ? "ascending" : "descending") : "none"));
  };
  table.columns.forEach((column, i) => {
    const button = AIU.el("button", { type: "button", class: "sort", text: column.label });
    button.addEventListener("click", () => {
      const first = column.unit ? "desc" : "asc";
      const order = table.sorted?.index !== i ? first : table.sorted.order === "asc" ? "desc" : "asc";
      AIU.sortTable(table, i, order);
      fill();
      AIU.announce(`Sorted by ${column.label}, ${order === "asc" ? "ascending" : "descending"}`);
    });
    head.append(AIU.el("th", { scope: "col", class: column.unit ? "num" : null }, button));
  });
  more.addEventListener("click", () => { shown = table.rows.length; fill(); });
  fill();
  const foot = total && table.total?.some((cell) => cell) && table.rows.length > 1 ? AIU.el("tfoot", {}, AIU.el("tr", {}, table.total.map((cell, i) => {
    if (i === 0) return AIU.el("th", { scope: "row", text: "Total" });
    const column = table.columns[i];
    return column.unit ? cellNode({ ...column, share: false }, cell, 0) : AIU.el("td");
  }))) : null;
  return AIU.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    AIU.el("table", {}, AIU.el("caption", { class: "sr-only", text: caption }), AIU.el("thead", {}, head), body, foot), unfold, more,
    table.rows.length > 40 ? AIU.el("p", { class: "paper-note", text: `The first 40 of ${table.rows.length.toLocaleString("en-US")} rows. Files hold all: download CSV or XLSX.` }) : null);
};

AIU.heatmap = (dashboard, card, result) => {
  const [rowDimension, columnDimension] = card.group_by;
  const [measure] = card.measures;
  const cells = new Map(result.groups.map(({ keys, figures }) => [JSON.stringify(keys), figures[measure.key]]));
  const names = AIU.groups(result.data, result.rows, [rowDimension], card.measures, grainOf(rowDimension, result));
  const across = AIU.groups(result.data, result.rows, [columnDimension], card.measures, result.grain);
  const buckets = columnDimension.grain ? AIU.buckets(result.from, result.to, grainOf(columnDimension, result)) : [];
  const ofMonths = grainOf(columnDimension, result) === "month";
  const heads = columnDimension.grain
    ? (ofMonths ? buckets.slice(-MONTHS).reverse() : buckets)
    : AIU.ordered(dashboard, columnDimension.column, across.map((g) => g.keys[0]));
  const sums = new Map(across.map((g) => [g.keys[0], g.figures[measure.key]]));
  names.sort((a, b) => (b.figures[measure.key]?.value ?? 0) - (a.figures[measure.key]?.value ?? 0));
  const shown = names.slice(0, card.limit ?? names.length);
  const largest = Math.max(0, ...result.groups.map((g) => g.figures[measure.key]?.value ?? 0));
  const head = (value) => (columnDimension.grain
    ? AIU.bucketLabel(value, grainOf(columnDimension, result), columnDimension.grain !== "month")
    : AIU.label(dashboard, columnDimension.column, value));
  const write = (figure) => AIU.format(figure, measure.unit, "heat");
  const named = (value) => {
    const text = AIU.label(dashboard, rowDimension.column, value);
    return AIU.narrowing(dashboard, card, rowDimension.column, value, text) ?? text;
  };
  const table = AIU.el("table", { class: "heat" },
    AIU.el("caption", { class: "sr-only", text: `${card.title}, ${AIU.unitName(measure.unit)}` }),
    AIU.el("thead", {}, AIU.el("tr", {}, AIU.el("th", { scope: "col", text: rowDimension.label }),
      heads.map((h) => AIU.el("th", { scope: "col", class: "num", text: head(h) })),
      AIU.el("th", { scope: "col", class: "num", text: ofMonths && buckets.length > MONTHS ? `Total, ${buckets.length} months` : "Total" }))),
    AIU.el("tbody", {}, shown.map((name) => AIU.el("tr", {},
      AIU.el("th", { scope: "row" }, named(name.keys[0])),
      heads.map((h) => {
        const figure = cells.get(JSON.stringify([name.keys[0], h])) ?? null;
        const part = figure && largest > 0 ? Math.max(0, figure.value / largest) : 0;
        return AIU.el("td", {
          class: `num${figure ? " filled" : ""}`, style: { "--part": part.toFixed(3) },
          title: AIU.exact(figure, measure.unit), text: write(figure),
        });
      }),
      AIU.el("td", { class: "num sum", title: AIU.exact(name.figures[measure.key], measure.unit), text: write(name.figures[measure.key]) })))),
    AIU.el("tfoot", {}, AIU.el("tr", {}, AIU.el("th", { scope: "row", text: "Total" }),
      heads.map((h) => AIU.el("td", { class: "num", title: AIU.exact(sums.get(h) ?? null, measure.unit), text: write(sums.get(h) ?? null) })),
      AIU.el("td", { class: "num", title: AIU.exact(result.total[measure.key], measure.unit), text: write(result.total[measure.key]) }))));
  return AIU.el("div", { class: "fill" }, AIU.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": card.title }, table),
    AIU.moreNote(card, names.length, measure, names.slice(shown.length)));
};

// "10 of 43 shown": what a limit leaves out is said. For sums, with its amount.
AIU.moreNote = (card, all, measure, rest) => {
  if (!rest.length) return null;
  const known = rest.map((g) => g.figures[measure.key]).filter(Boolean);
  const amount = AIU.adds(measure) && known.length ? AIU.figure(known.reduce((sum, f) => sum + f.units, 0n), known[0].scale) : null;
  const money = amount === null ? "" : `; the others: ${AIU.format(amount, measure.unit)}`;
  return AIU.el("p", { class: "hint", text: `${all - rest.length} of ${all} shown${money}. The table shows all.` });
};
