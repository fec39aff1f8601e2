// Charts: over time with Vega-Lite, over categories as labelled bars. Belongs here: chart specs, legends, tips.
// Not here: figures (aggregate.js), the card around a chart (cards.js).
// Colours are CSS variables, so that light, dark and print need no redraw. Vega runs its expressions through its
// interpreter (`ast`), because the page's policy forbids eval.

const COLOURS = 8;
AIU.colour = (index) => `var(--c${(index % COLOURS) + 1})`;

// A value keeps its colour under any filter and on every page: its place in labels.yaml, then among the dataset's others.
// More values than colours: the seven largest of the whole dataset keep one each, the others are one series, Other.
const OTHER = "\u0000other";
function largest(dashboard, card, data) {
  const [, split] = card.group_by;
  const all = AIU.groups(data, data.columns[split.column].codes.map((_, row) => row), [split], card.measures.slice(0, 1));
  if (all.length <= COLOURS) return null;
  const { key } = card.measures[0];
  return all.sort((a, b) => (b.figures[key]?.value ?? 0) - (a.figures[key]?.value ?? 0)).slice(0, COLOURS - 1).map((g) => g.keys[0]);
}

function colouring(dashboard, column, data) {
  const known = Object.keys(dashboard.labels[column] ?? {});
  const order = [...known, ...AIU.ordered(dashboard, column, data.columns[column].values.filter((v) => !known.includes(v)))];
  return (value) => (value === null ? "var(--c8)" : AIU.colour(order.indexOf(value)));
}

const FONT = '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif';
const CONFIG = {
  font: FONT,
  background: "transparent",
  view: { stroke: null },
  axis: {
    labelColor: "var(--ink-2)", titleColor: "var(--ink-2)", labelFontSize: 11, titleFontSize: 11, titleFontWeight: 400,
    gridColor: "var(--line)", domainColor: "var(--line-2)", tickColor: "var(--line-2)", labelPadding: 6,
  },
};

function timeAxis(buckets, grain, width) {
  const room = Math.max(2, Math.floor(width / 74));
  const step = Math.max(1, Math.ceil(buckets.length / room));
  const values = buckets.filter((_, i) => i % step === 0);
  const year = buckets[0].slice(0, 4) !== buckets[buckets.length - 1].slice(0, 4);
  const pattern = grain === "month" ? "%b %Y" : year ? "%-d %b %y" : "%b %-d";
  return {
    values, labelExpr: `utcFormat(utc(toNumber(slice(datum.value, 0, 4)), toNumber(slice(datum.value, 5, 7)) - 1, toNumber(slice(datum.value, 8, 10))), '${pattern}')`,
    labelAngle: 0, labelOverlap: true, ticks: true, domain: true, grid: false, tickSize: 4,
    title: { day: "Day (UTC)", week: "Week starting (UTC)", month: "Month (UTC)" }[grain],
  };
}

function axisFormat(unit) {
  if (unit === "pct") return { format: ".0%" };
  if (AIU.isMoney(unit)) return { labelExpr: "abs(datum.value) >= 1000 ? replace(replace(format(datum.value, '$.2~s'), 'G', 'B'), 'k', 'K') : format(datum.value, '$,.4~f')" };
  return { labelExpr: "abs(datum.value) >= 1000 ? replace(replace(format(datum.value, '.3~s'), 'G', 'B'), 'k', 'K') : format(datum.value, ',.2~f')" };
}

// Several measures over one time axis: each is a line, the band's two ends an area between them.
function measured(card, result, grain, buckets) {
  const rows = new Map(result.groups.map((g) => [g.keys[0], g.figures]));
  const dashes = { solid: [], dashed: [5, 4], reference: [2, 3] };
  const shown = card.measures.filter((m) => !card.band?.includes(m.key));
  const solid = shown.filter((m) => m.mark === "solid");
  const series = shown.filter((m) => result.total[m.key] !== null).map((m) => ({
    value: m.key, label: m.label, dash: dashes[m.mark], mark: m.mark,
    colour: m.mark === "reference" ? "var(--ink-2)" : m.mark === "dashed" ? "var(--c1)" : AIU.colour(solid.indexOf(m)),
  }));
  const figure = (bucket, key) => rows.get(bucket)?.[key] ?? null;
  const band = card.band && result.total[card.band[0]] !== null ? { low: (b) => figure(b, card.band[0]), high: (b) => figure(b, card.band[1]), label: "Range (8 of 10 past outcomes)" } : null;
  return { grain, buckets, series, band, at: (bucket, one) => figure(bucket, one.value) };
}

// {buckets, series: [{value, label, colour}], at(bucket, series) -> figure|null}
function shaped(dashboard, card, data, result) {
  const grain = card.group_by[0].grain === "auto" ? result.grain : card.group_by[0].grain;
  const buckets = AIU.buckets(result.from, result.to, grain);
  const [, split] = card.group_by;
  const { key } = card.measures[0];
  if (card.measures.length > 1) return measured(card, result, grain, buckets);
  const found = new Map(result.groups.map((g) => [JSON.stringify(g.keys), g.figures[key]]));
  let series = [{ value: null, label: card.measures[0].label, colour: "var(--c1)" }];
  if (split) {
    const colour = colouring(dashboard, split.column, data);
    // A platform on which nobody was ever counted reports no activity: its line is unknown, not zero.
    const counted = (figure) => figure !== null && (!card.measures[0].count_distinct || figure.units > 0n);
    const known = result.groups.filter((g) => counted(g.figures[key])).map((g) => g.keys[1]);
    const kept = AIU.adds(card.measures[0]) ? largest(dashboard, card, data) : null;
    series = AIU.ordered(dashboard, split.column, new Set(known)).map((value) => ({
      value, label: AIU.label(dashboard, split.column, value), colour: colour(value),
    }));
    if (kept) {
      const others = new Set(series.map((s) => s.value).filter((v) => !kept.includes(v)));
      series = [...kept.filter((v) => series.some((s) => s.value === v)).map((value) => ({
        value, label: AIU.label(dashboard, split.column, value), colour: AIU.colour(kept.indexOf(value)),
      })), ...(others.size ? [{ value: OTHER, label: `${others.size} others`, colour: "var(--c8)" }] : [])];
      for (const bucket of buckets) {
        const rest = [...others].map((v) => found.get(JSON.stringify([bucket, v]))).filter(Boolean);
        if (rest.length) found.set(JSON.stringify([bucket, OTHER]), AIU.figure(rest.reduce((sum, f) => sum + f.units, 0n), rest[0].scale));
      }
    }
  }
  const at = (bucket, one) => found.get(JSON.stringify(split ? [bucket, one.value] : [bucket])) ?? null;
  return { grain, buckets, series, at };
}

function timeSpec(card, shape, width, height) {
  const { buckets, series, at, grain } = shape;
  const [measure] = card.measures;
  const rows = [];
  buckets.forEach((bucket) => series.forEach((one, order) => {
    const figure = at(bucket, one);
    if (figure || card.kind === "line") rows.push({ bucket, name: one.label, order, value: figure ? figure.value : null });
  }));
  const gap = card.kind === "line" ? {} : { paddingInner: 0.22 }; // points have no width
  const x = { field: "bucket", type: "ordinal", scale: { domain: buckets, ...gap, paddingOuter: 0.1 }, axis: timeAxis(buckets, grain, width) };
  const y = {
    field: "value", type: "quantitative", stack: card.kind === "stacked_bar" ? "zero" : null, scale: { zero: true, nice: 4 },
    axis: {
      ...axisFormat(measure.unit), tickCount: 5, domain: false, ticks: false,
      title: AIU.unitName(measure.unit), titleAngle: 0, titleAlign: "left", titleAnchor: "end", titleX: -34, titleY: -9,
    },
  };
  const colour = {
    field: "name", type: "nominal", legend: null,
    scale: { domain: series.map((s) => s.label), range: series.map((s) => s.colour) },
  };
  const order = { field: "order", type: "quantitative" };
  const dashed = series.some((s) => s.dash?.length);
  const dash = dashed ? { strokeDash: { field: "name", type: "nominal", legend: null, scale: { domain: series.map((s) => s.label), range: series.map((s) => s.dash) } } } : {};
  const area = shape.band ? [{
    data: { values: buckets.map((bucket) => ({ bucket, low: shape.band.low(bucket)?.value ?? null, high: shape.band.high(bucket)?.value ?? null })) },
    mark: { type: "area", opacity: 0.16, color: "var(--c1)", invalid: "break-paths-show-domains" },
    encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" } },
  }] : [];
  const marks = card.kind === "line"
    ? [
      ...area,
      ...(series.length === 1 ? [{ mark: { type: "area", opacity: 0.1, invalid: "break-paths-show-domains" }, encoding: { x, y, color: colour } }] : []),
      { mark: { type: "line", strokeWidth: 2.2, strokeJoin: "round", invalid: "break-paths-show-domains" }, encoding: { x, y, color: colour, ...dash } },
      ...(buckets.length <= 31 && !dashed ? [{ mark: { type: "point", filled: true, size: 26, opacity: 1 }, encoding: { x, y, color: colour } }] : []),
    ]
    : [{ mark: { type: "bar", stroke: "var(--surface)", strokeWidth: series.length > 1 ? 0.75 : 0, cornerRadiusEnd: series.length === 1 ? 2 : 0 }, encoding: { x, y, color: colour, ...(series.length > 1 ? { order } : {}) } }];
  return {
    width, height, autosize: { type: "fit", contains: "padding" }, padding: { left: 2, right: 6, top: 16, bottom: 5 },
    data: { values: rows }, layer: marks, config: CONFIG,
  };
}

AIU.legend = (series, band = null) => (series.length < 2 ? null : AIU.el("ul", { class: "legend" }, [...series, ...(band ? [{ label: band.label, mark: "band" }] : [])].map((one) => AIU.el("li", {},
  AIU.el("i", { class: `swatch ${one.mark ?? ""}`, style: { "--swatch": one.colour ?? "var(--c1)" } }), AIU.el("span", { text: one.label })))));

// A first or last week or month that the period or the records cut short says so.
const partial = (bucket, grain, result) => grain !== "day" && (bucket < result.from || AIU.nextBucket(bucket, grain) > AIU.addDays(result.to, 1));

// The tip lists every series of the period under the pointer, wherever in its column the pointer is.
function follow(box, card, shape, result, view) {
  const [measure] = card.measures;
  let at = -1; // the place that arrow keys have reached
  const bucketAt = (event) => {
    const scale = view().scale("x");
    const middle = scale(shape.buckets[0]) + scale.bandwidth() / 2;
    const x = event.clientX - box.getBoundingClientRect().left - view().origin()[0];
    const index = Math.round((x - middle) / (scale.step() || 1));
    return x < 0 ? undefined : shape.buckets[Math.min(index, shape.buckets.length - 1)];
  };
  const told = (bucket) => {
    const figures = shape.series.map((one) => [one.colour, one.label, shape.at(bucket, one)]);
    const known = figures.map((f) => f[2]).filter(Boolean);
    const lines = figures.filter((f) => f[2] || card.measures.length === 1).map(([colour, name, figure]) => [colour, name, AIU.format(figure, measure.unit)]);
    const ends = shape.band ? [shape.band.low(bucket), shape.band.high(bucket)] : [];
    if (ends[0] && ends[1] && ends[0].units !== ends[1].units) lines.push([null, "Range", ends.map((f) => AIU.format(f, measure.unit)).join(" – ")]);
    if (AIU.adds(measure) && known.length > 1 && card.measures.length === 1) {
      lines.push([null, "Total", AIU.format(AIU.figure(known.reduce((s, f) => s + f.units, 0n), known[0].scale), measure.unit)]);
    }
    const cut = partial(bucket, shape.grain, result) ? " (incomplete)" : "";
    return [AIU.bucketLabel(bucket, shape.grain) + cut, lines];
  };
  box.addEventListener("pointermove", (event) => {
    const bucket = view() && bucketAt(event);
    if (bucket) AIU.tip.show(event, ...told(bucket));
    else AIU.tip.hide();
  });
  box.addEventListener("pointerleave", () => AIU.tip.hide());
  box.addEventListener("blur", () => { at = -1; AIU.tip.hide(); });
  const narrow = (bucket) => {
    if (!card.filters?.date || card.of_months) return;
    const end = AIU.addDays(AIU.nextBucket(bucket, shape.grain), -1);
    AIU.narrow("date", { from: bucket < result.from ? result.from : bucket, to: end > result.to ? result.to : end });
  };
  box.addEventListener("click", (event) => { const bucket = view() && bucketAt(event); if (bucket) narrow(bucket); });
  // Arrow keys walk the periods, read aloud and shown; Enter narrows the page to the one that they have reached.
  box.addEventListener("keydown", (event) => {
    const last = shape.buckets.length - 1;
    const next = { ArrowRight: Math.min(last, at + 1), ArrowLeft: at < 0 ? last : Math.max(0, at - 1), Home: 0, End: last }[event.key];
    if (event.key === "Enter" && at >= 0) { narrow(shape.buckets[at]); return; }
    if (next === undefined || !view()) return;
    event.preventDefault();
    at = next;
    const [title, lines] = told(shape.buckets[at]);
    const scale = view().scale("x");
    const place = box.getBoundingClientRect();
    AIU.tip.show({ clientX: place.left + view().origin()[0] + scale(shape.buckets[at]) + scale.bandwidth() / 2, clientY: place.top + place.height / 2 }, title, lines);
    AIU.announce(`${title}: ${lines.map(([, name, value]) => `${name} ${value}`).join(", ")}`);
  });
}

function summary(card, shape) {
  const [measure] = card.measures;
  const of = AIU.bucketLabel;
  const [first, last] = [shape.buckets[0], shape.buckets[shape.buckets.length - 1]];
  return `${card.title}: ${AIU.unitName(measure.unit)} from ${of(first, shape.grain)} to ${of(last, shape.grain)}`
    + `${shape.series.length > 1 ? `, by ${shape.series.map((s) => s.label).join(", ")}` : ""}. Arrow keys read the figures; “Show as table” lists them.`;
}

// Draws into `host`; returns a function that lets go of everything.
AIU.timeChart = (host, dashboard, card, data, result) => {
  const shape = shaped(dashboard, card, data, result);
  const box = AIU.el("div", { class: "plot", role: "img", tabindex: "0", "aria-label": summary(card, shape) });
  host.append(...[AIU.legend(shape.series, shape.band), box].filter(Boolean));
  let drawn = null;
  let size = "";
  let ended = false;
  const draw = async () => {
    const [width, height] = [Math.floor(box.clientWidth), Math.floor(box.clientHeight)];
    if (ended || width < 40 || height < 40 || size === `${width}x${height}`) return;
    size = `${width}x${height}`;
    const place = AIU.el("div", { "aria-hidden": "true" });
    const embedded = await vegaEmbed(place, timeSpec(card, shape, width, height), {
      ast: true, actions: false, renderer: "svg", defaultStyle: false, mode: "vega-lite", tooltip: false,
    });
    if (ended || size !== `${width}x${height}`) { embedded.finalize(); return; }
    drawn?.finalize();
    drawn = embedded;
    box.replaceChildren(place);
  };
  const watch = new ResizeObserver(() => requestAnimationFrame(draw));
  watch.observe(box);
  // Paper cannot wait: the drawing there is takes the sheet's size at once (paper.js).
  const fit = () => { if (drawn) { drawn.view.width(Math.floor(box.clientWidth)).height(Math.floor(box.clientHeight)).run(); size = ""; } };
  window.addEventListener("paper", fit);
  follow(box, card, shape, result, () => drawn?.view);
  return { ready: draw(), end: () => { ended = true; window.removeEventListener("paper", fit); watch.disconnect(); drawn?.finalize(); } };
};

// What each group's share is of: the total and the groups' figures, of all rows.
function shares(card, data, result, measure) {
  const groups = AIU.groups(data, result.rows, card.group_by, [measure], result.grain);
  return [AIU.groups(data, result.rows, [], [measure])[0].figures, new Map(groups.map(({ keys, figures }) => [JSON.stringify(keys), figures[measure.key]]))];
}

// Bars over categories: text left, bar, figure right. Negative values grow to the left of the zero line.
AIU.barChart = (host, dashboard, card, data, result) => {
  const [dimension] = card.group_by;
  const [measure] = card.measures;
  const ordered = AIU.table(dashboard, card, result).rows.map((row) => ({ keys: row.keys, figures: { [measure.key]: row.cells[card.group_by.length] } }));
  const shown = ordered.slice(0, card.limit ?? ordered.length);
  const values = shown.map((g) => g.figures[measure.key]?.value ?? 0);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const span = high - low || 1;
  const colour = dimension.column === "platform" ? colouring(dashboard, dimension.column, data) : () => "var(--c1)";
  // Shares are of gross cost where there is one: over what credits leave, a part can be more than the whole.
  const gross = measure.sum === "cost_usd" && data.columns.gross_usd;
  const [{ [measure.key]: whole }, parts] = gross ? shares(card, data, result, { ...measure, sum: "gross_usd" }) : shares(card, data, result, measure);
  const part = AIU.adds(measure) && shown.length > 1 && [...parts.values()].every((figure) => !figure || figure.units >= 0n);
  // A name narrows the page by its own column, or by that of the e-mail beside it.
  const named = (keys) => {
    const text = AIU.label(dashboard, dimension.column, keys[0]);
    return card.group_by.map((d, i) => AIU.narrowing(dashboard, card, d.column, keys[i], text)).find(Boolean) ?? text;
  };
  const list = AIU.el("ul", { class: "bars" }, shown.map((group) => {
    const figure = group.figures[measure.key];
    const value = figure?.value ?? 0;
    const special = /^\((unattributed|no department)\)$/.test(group.keys[0] ?? "");
    const of = parts.get(JSON.stringify(group.keys));
    const share = part && of && whole ? AIU.ratio(of.units, of.scale, whole.units, whole.scale) : null;
    return AIU.el("li", { title: AIU.exact(figure, measure.unit) },
      AIU.el("span", { class: special ? "bar-name special" : "bar-name" }, named(group.keys),
        card.group_by[1] && group.keys[1] !== group.keys[0] ? AIU.el("small", { text: AIU.label(dashboard, card.group_by[1].column, group.keys[1]) }) : null),
      AIU.el("span", { class: "bar-figure" }, AIU.format(figure, measure.unit),
        share ? AIU.el("em", { text: AIU.format(share, "pct") }) : null),
      AIU.el("span", { class: "track", "aria-hidden": "true" }, figure && AIU.el("i", { style: {
        left: `${((Math.min(0, value) - low) / span) * 100}%`, width: `${(Math.abs(value) / span) * 100}%`,
        background: value < 0 ? "var(--c2)" : special ? "var(--c8)" : colour(group.keys[0]),
      } })));
  }));
  host.append(AIU.el("p", { class: "unit-line", text: `${AIU.withUnit(measure)}${part ? ` and share of ${gross ? "gross cost" : "total"}` : ""}` }),
    AIU.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": card.title }, list),
    ...[AIU.moreNote(card, ordered.length, measure, ordered.slice(shown.length))].filter(Boolean));
};
