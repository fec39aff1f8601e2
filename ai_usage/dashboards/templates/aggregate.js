// From a dataset and the reader's filters to a card's figures. Belongs here: filtering, grouping, measures.
// Not here: how a figure looks. Ratios are ratios of sums; totals are computed from rows, never from shown figures.

// The rows that the filters leave for this card. `period` may replace the date filter (the preceding period).
AIU.rowsFor = (card, data, state, period = state.range) => {
  const range = AIU.acting(card, period);
  const tests = [];
  for (const [key, name] of Object.entries(card.filters)) {
    const { values, codes } = data.columns[name];
    const chosen = key === "date" ? null : state.chosen[key]?.length ? state.chosen[key] : card.unset?.[key] && [card.unset[key]];
    if (key === "date" ? !(range.from || range.to || card.latest) : !chosen?.length) continue;
    const inside = (v) => (!range.from || v >= range.from) && (!range.to || v <= range.to);
    const last = card.latest ? values.filter(inside).at(-1) : null; // values of dates are sorted
    const pass = key === "date"
      ? values.map((v) => inside(v) && (!card.latest || v === last))
      : values.map((v) => chosen.includes(v));
    tests.push([codes, Uint8Array.from(pass, Number)]);
  }
  const rows = new Int32Array(data.rows);
  let count = 0;
  scan: for (let row = 0; row < data.rows; row += 1) {
    for (const [codes, pass] of tests) if (codes[row] < 0 || !pass[codes[row]]) continue scan;
    rows[count] = row;
    count += 1;
  }
  return rows.subarray(0, count);
};

// A dimension as codes into its own values; dates fall into their bucket. Code 0 is NULL.
function coded(data, dimension, grain) {
  const { values, codes } = data.columns[dimension.column];
  if (!dimension.grain || grain === "day") return { values: [null, ...values], codes, map: values.map((_, i) => i + 1) };
  const buckets = [...new Set(values.map((v) => AIU.bucket(v, grain)))];
  const position = new Map(buckets.map((b, i) => [b, i + 1]));
  return { values: [null, ...buckets], codes, map: values.map((v) => position.get(AIU.bucket(v, grain))) };
}

function accumulator(data, aggregate, column) {
  const source = data.columns[column];
  if (aggregate === "sum") {
    const sums = new AIU.Sums(source);
    return { add: (g, row) => sums.add(g, row), units: (g) => sums.units(g), scale: source.scale };
  }
  if (aggregate === "count_distinct") {
    const seen = new Set();
    const counts = [];
    const size = source.values.length;
    const { codes } = source;
    return {
      add(g, row) {
        const code = codes[row];
        if (code < 0 || seen.has(g * size + code)) return;
        seen.add(g * size + code);
        counts[g] = (counts[g] ?? 0) + 1;
      },
      units: (g) => BigInt(counts[g] ?? 0),
      scale: 0,
    };
  }
  const best = [];
  const better = aggregate === "max" ? (a, b) => a > b : (a, b) => a < b;
  return {
    add(g, row) {
      const code = source.codes[row];
      if (code >= 0 && (best[g] === undefined || better(code, best[g]))) best[g] = code;
    },
    text: (g) => (best[g] === undefined ? null : source.values[best[g]]),
  };
}

// One measure over groups: `add` rows, then `figure` of a group. `whole` is the measure's own total, for shares.
function prepared(data, measure, total) {
  if (measure.ratio) {
    const [num, den] = measure.ratio.map((t) => (t.sum ? accumulator(data, "sum", t.sum) : accumulator(data, "count_distinct", t.count_distinct)));
    return {
      add(g, row) { num.add(g, row); den.add(g, row); },
      figure: (g) => AIU.ratio(num.units(g), num.scale, den.units(g), den.scale, measure.per),
    };
  }
  if (measure.share) {
    const sum = accumulator(data, "sum", measure.share);
    return { add: sum.add, figure: (g) => AIU.ratio(sum.units(g), sum.scale, total(measure.share), sum.scale) };
  }
  const aggregate = ["sum", "count_distinct", "min", "max"].find((name) => measure[name]);
  const one = accumulator(data, aggregate, measure[aggregate]);
  if (one.text) {
    return { add: one.add, figure: (g) => { const text = one.text(g); return text === null ? null : { value: Date.parse(text), exact: text }; } };
  }
  return { add: one.add, figure: (g) => AIU.figure(one.units(g), one.scale) };
}

// [{keys, figures}] for every group that has rows. Without dimensions: exactly one group, even when it is empty.
AIU.groups = (data, rows, dimensions, measures, grain = "day") => {
  const totals = new Map();
  const total = (column) => {
    if (!totals.has(column)) {
      const sums = new AIU.Sums(data.columns[column]);
      for (const row of rows) sums.add(0, row);
      totals.set(column, sums.units(0));
    }
    return totals.get(column);
  };
  const parts = dimensions.map((d) => coded(data, d, d.grain === "auto" ? grain : d.grain));
  const work = measures.map((m) => prepared(data, m, total));
  const ids = new Map();
  const keys = [];
  if (!parts.length) { ids.set(0, 0); keys.push([]); }
  for (const row of rows) {
    let id = 0;
    for (const part of parts) {
      const code = part.codes[row];
      id = id * part.values.length + (code < 0 ? 0 : part.map[code]);
    }
    let group = ids.get(id);
    if (group === undefined) {
      group = keys.length;
      ids.set(id, group);
      keys.push(parts.map((part) => { const code = part.codes[row]; return part.values[code < 0 ? 0 : part.map[code]]; }));
    }
    for (const one of work) one.add(group, row);
  }
  return keys.map((key, group) => ({
    keys: key,
    figures: Object.fromEntries(measures.map((m, i) => [m.key, work[i].figure(group)])),
  }));
};

// First and last day of a card's data, whatever the filters; null without a date column.
AIU.span = (card, data) => {
  const name = card.filters.date ?? card.group_by.find((d) => d.grain)?.column;
  const values = name ? data.columns[name].values : [];
  return values.length ? { first: values[0], last: values[values.length - 1] } : null;
};

// Whether figures of several groups may be added up: a person whom two groups name would count twice.
AIU.adds = (measure) => Boolean(measure.sum) && measure.total !== false;

// The month of a card of the latest month as far as the data reach, and what it stands beside: as `periods` of vw_change_drivers.
function latestSides(card, data, rows) {
  const { values, codes } = data.columns[card.filters.date];
  const from = values[codes[rows[0]]];
  const end = AIU.addDays(AIU.nextBucket(from, "month"), -1);
  const now = { from, to: end < AIU.through ? end : AIU.through };
  return { now, other: AIU.compared(now) };
}

// Everything a renderer needs about one card under the current filters.
AIU.evaluate = (card, data, state) => {
  const rows = AIU.rowsFor(card, data, state);
  const span = AIU.span(card, data);
  const dated = card.filters.date ? AIU.acting(card, state.range) : { from: null, to: null };
  const from = dated.from && span && dated.from > span.first ? dated.from : span?.first;
  const to = dated.to && span && dated.to < span.last ? dated.to : span?.last;
  const wanted = [...card.group_by, ...(card.pivot ? [card.pivot] : [])].find((d) => d.grain)?.grain;
  const grain = wanted && from && to && from <= to ? AIU.grain(wanted, from, to) : "day";
  // What a card with `compare` stands beside: the groups of the other period, where both hold every day. A card of the latest month is compared in its SQL,
  // which begins where a whole month is on record.
  const latest = card.latest && rows.length ? latestSides(card, data, rows) : null;
  const other = latest ? latest.other : card.compare ? AIU.compared(state.range) : null;
  const now = latest ? latest.now : state.range;
  const platforms = (card.filters.platform && state.chosen.platform) || [];
  const told = latest ? [{ of_cost: true }, { first: other.from }] : [card, span];
  const lacking = other && AIU.lacking(...told, [now, other], { held: AIU.meta.held, through: AIU.through, platforms });
  const before = card.compare && other && !lacking ? AIU.rowsFor(card, data, state, other) : null;
  return {
    empty: rows.length === 0,
    rows, span, from, to, grain,
    now, other, lacking,
    before: before && { groups: AIU.groups(data, before, card.group_by, card.measures.slice(0, 1), grain), total: AIU.groups(data, before, [], card.measures.slice(0, 1))[0].figures },
    groups: AIU.groups(data, rows, card.group_by, card.measures, grain),
    total: AIU.groups(data, rows, [], card.measures)[0].figures,
    pivot: card.pivot ? AIU.groups(data, rows, [...card.group_by, card.pivot], card.measures.slice(0, 1), grain) : null,
    pivotTotal: card.pivot ? AIU.groups(data, rows, [card.pivot], card.measures.slice(0, 1), grain) : null,
  };
};
