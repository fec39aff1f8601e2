// Cards: the frame around a figure, a chart or a table; its tools; what it says when there is nothing to show.
// Belongs here: headings, descriptions, the table toggle, the download. Not here: figures or marks.

function info(card) {
  if (!card.description) return null;
  return AIU.el("details", { class: "info" },
    AIU.el("summary", { "aria-label": `About ${card.title}` }, AIU.icon("info")),
    AIU.el("p", { text: card.description }));
}

// What the card speaks of where that is not what the filters say; a scope has its own words for the dates. Null where every filter in force acts.
function reach(dashboard, card, state) {
  const missing = dashboard.filters.filter((f) => !(f.key in (card.filters ?? {})));
  const dates = missing.some((f) => f.type === "date_range") ? "All dates on record" : null;
  const others = missing.filter((f) => f.type === "multi_select" && state.chosen[f.key].length).map((f) => f.label.toLowerCase());
  const words = [card.scope ?? dates, others.length ? `Not filtered by ${others.join(", ")}` : null].filter(Boolean);
  return words.length ? words.join(" · ") : null;
}

function unreached(dashboard, card, state) {
  const text = reach(dashboard, card, state);
  return text && AIU.el("p", { class: "badge", title: text, text });
}

// What no rows mean where something was read: of a warehouse that holds nothing, nothing good can be said.
const good = (card) => (AIU.meta.sources.some((source) => source.last_fetched_at) ? card.empty : undefined);

const EMPTY = "Nothing on record for these filters. Choose a longer period or clear a filter.";

const days = ([first, last], now) => {
  const write = first.slice(0, 4) === now.slice(0, 4) ? AIU.shortDay : AIU.day;
  return first === last ? write(first) : `${write(first)} – ${write(last)}`;
};

// Why nothing is compared, in words.
function notCompared(dashboard, lacking, now) {
  const because = lacking.ahead ? `${AIU.day(lacking.ahead)} is still to come`
    : lacking.folded ? `days before ${AIU.day(lacking.folded)} are grouped by month`
      : lacking.source ? `${AIU.label(dashboard, "source", lacking.source)} lacks ${days(lacking.days[0], now)}${lacking.days.length > 1 ? " and more" : ""}`
        : `records begin ${AIU.day(lacking.begins)}`;
  return `Not compared: ${because}`;
}

function delta(dashboard, card, result) {
  if (!card.compare) return null;
  if (!result.other) return AIU.el("p", { class: "delta none", text: "Choose a period to compare" });
  const words = days([result.other.from, result.other.to], result.now.to);
  if (result.lacking) {
    const text = notCompared(dashboard, result.lacking, result.now.to);
    return AIU.el("p", { class: "delta none", title: `${text} (the period before is ${words})`, text });
  }
  const [measure] = card.measures;
  const old = result.before.total[measure.key];
  const now = result.total[measure.key];
  const was = AIU.format(old, measure.unit, "kpi");
  const points = measure.unit === "pct";
  if (!old || !now || (!points && old.value <= 0)) return AIU.el("p", { class: "delta none", title: AIU.exact(old, measure.unit), text: `Before: ${was}, ${words}` });
  const change = points ? now.value - old.value : now.value / old.value - 1;
  const digits = (x) => new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(Math.abs(x) * 100);
  const still = digits(change) === "0.0";
  const up = change > 0;
  const welcome = still || !measure.good ? "" : (measure.good === "up") === up ? " welcome" : " unwelcome";
  const text = still ? "no change" : `${up ? "▲" : "▼"} ${digits(change)}${points ? " pts" : "%"}`;
  return AIU.el("p", { class: `delta${welcome}`, title: `${AIU.exact(old, measure.unit)}, ${words}` },
    AIU.el("b", { text, "aria-label": still ? "no change" : `${up ? "up" : "down"} ${digits(change)} ${points ? "percentage points" : "percent"}` }),
    AIU.el("span", { text: ` vs ${was}` }), AIU.el("span", { class: "when", text: `, ${words}` }));
}

function kpiBody(dashboard, card, state, result) {
  const [measure] = card.measures;
  if (result.empty && good(card)) return [AIU.el("p", { class: "value quiet-value", title: "unknown", text: "None" }), AIU.el("p", { class: "delta none", title: card.empty, text: card.empty })];
  const figure = result.empty ? null : result.total[measure.key];
  const more = card.measures.find((m) => m !== measure && !card.band?.includes(m.key));
  const detail = more && !result.empty ? AIU.el("p", { class: "delta", title: AIU.exact(result.total[more.key], more.unit) },
    AIU.el("span", { text: `${more.label}: ` }), AIU.el("b", { text: AIU.format(result.total[more.key], more.unit, "kpi") })) : null;
  const [low, high] = (card.band ?? []).map((key) => (result.empty ? null : result.total[key]));
  const range = !card.band || result.empty ? null : AIU.el("p", { class: "delta", title: low ? `${AIU.exact(low, measure.unit)} to ${AIU.exact(high, measure.unit)}` : null },
    low && high ? AIU.el("b", { text: `${AIU.format(low, measure.unit, "kpi")} – ${AIU.format(high, measure.unit, "kpi")}` }) : AIU.el("span", { text: "No range can be given" }));
  return [
    AIU.el("p", { class: measure.limit && AIU.over(figure) ? "value over" : "value", title: AIU.exact(figure, measure.unit), text: AIU.format(figure, measure.unit, "kpi") }),
    result.empty ? AIU.el("p", { class: "delta none", text: "Nothing on record for these filters" }) : delta(dashboard, card, result), range, detail,
  ];
}

// Each button says of which card it is: a list of buttons read aloud has no other way to tell them apart.
function tool(icon, label, title, onclick, pressed) {
  return AIU.el("button", { type: "button", class: "tool", "aria-label": `${label}: ${title}`, title: label, "aria-pressed": pressed, onclick }, AIU.icon(icon));
}

// The second sheet of an XLSX file: what the figures are, so that the file speaks for itself in a year.
function about(dashboard, card, state) {
  const { meta } = AIU;
  const scope = reach(dashboard, card, state);
  return [
    ["Dashboard", dashboard.title], ["Table", card.title], ["What it shows", card.description || card.question || ""],
    ["Filters", AIU.filterWords(dashboard, state, card) || "None acts on this table"], ...(scope ? [["Scope", scope]] : []),
    ["Data as of", AIU.moment(meta.as_of)], ["State", AIU.settleWords(meta)], ["Days", "UTC days"],
    ...(meta.note ? [["Note", meta.note]] : []),
  ];
}

function fileName(dashboard, card, state, ending) {
  const { from, to } = card.filters?.date ? state.range : {};
  return [dashboard.key, card.key, from ?? "start", to ?? "end"].join("_") + ending;
}

// One card: `update(state)` draws it for the filters.
AIU.card = (dashboard, card, place = 3) => {
  const headingId = `${dashboard.key}-${card.key}-title`;
  const root = AIU.el("article", {
    class: `card ${card.kind}`, "aria-labelledby": headingId, "data-card": card.key,
    style: { "--x": card.grid.x + 1, "--y": card.grid.y + 1, "--w": card.grid.w, "--h": card.grid.h, "--phone": place },
  });
  const tools = AIU.el("div", { class: "tools" });
  const body = AIU.el("div", { class: "body" });
  const charted = ["line", "bar", "stacked_bar", "heatmap", "bridge"].includes(card.kind);
  let asTable = false;
  let held = null;
  let latest = null;
  const badges = AIU.el("div", { class: "badges" });
  root.append(
    AIU.el("header", {}, AIU.el("div", { class: "heading" }, AIU.el("h2", { id: headingId, text: card.title }),
      card.question ? AIU.el("p", { text: card.question }) : null), tools),
    badges, body,
  );
  if (card.kind === "note") {
    body.append(...card.text.split(/\n\s*\n/).map((text) => AIU.el("p", { text })));
    return { root, update: async () => {} };
  }
  if (charted) {
    const toggle = tool("table", "Show as table", card.title, () => {
      asTable = !asTable;
      toggle.setAttribute("aria-pressed", String(asTable));
      toggle.setAttribute("aria-label", `${asTable ? "Show as chart" : "Show as table"}: ${card.title}`);
      toggle.title = asTable ? "Show as chart" : "Show as table";
      toggle.replaceChildren(AIU.icon(asTable ? "chart" : "table"));
      draw();
    }, "false");
    tools.append(toggle);
  }
  if (card.kind !== "kpi") {
    const save = (ending, write) => () => {
      const { result, state } = latest;
      const table = AIU.table(dashboard, card, result);
      if (held?.table?.sorted) AIU.sortTable(table, held.table.sorted.index, held.table.sorted.order);
      AIU.download(fileName(dashboard, card, state, ending), write(AIU.withTerms(card, table), state));
      AIU.announce(`Downloaded ${AIU.plural(table.rows.length, "row")}`);
    };
    tools.append(tool("csv", "Download CSV", card.title, save(".csv", (table) => AIU.csv(table))),
      tool("xlsx", "Download XLSX", card.title, save(".xlsx", (table, state) => AIU.xlsx(table, about(dashboard, card, state)))));
  }
  const words = info(card);
  if (words) tools.append(words);

  async function draw() {
    const { data, state, result } = latest;
    const sorted = held?.table?.sorted;
    const top = body.querySelector(".scroll")?.scrollTop ?? 0;
    held?.end?.();
    held = null;
    body.replaceChildren();
    const lacks = card.kind === "table" && result.lacking ? notCompared(dashboard, result.lacking, result.now.to) : null;
    badges.replaceChildren(...[unreached(dashboard, card, state), lacks && AIU.el("p", { class: "badge", title: lacks, text: lacks })].filter(Boolean));
    if (card.kind === "kpi") { body.append(...kpiBody(dashboard, card, state, result).filter(Boolean)); return; }
    if (result.empty) { body.append(AIU.el("p", { class: "empty", text: good(card) ?? EMPTY })); return; }
    if (card.kind === "table" || asTable) {
      const table = AIU.table(dashboard, card, result);
      if (sorted && sorted.index < table.columns.length) AIU.sortTable(table, sorted.index, sorted.order);
      held = { table };
      body.append(AIU.tableNode(table, `${card.title} (${AIU.unitName(card.measures[0].unit)})`, { fold: card.fold }));
      body.querySelector(".scroll").scrollTop = top;
    } else if (Object.values(result.groups).every((g) => g.figures[card.measures[0].key] === null)) {
      body.append(AIU.el("p", { class: "empty", text: "Not reported by the platforms in this selection." }));
    } else if (card.kind === "bridge" && result.lacking) body.append(AIU.el("p", { class: "empty", text: `${notCompared(dashboard, result.lacking, result.now.to)}.` }));
    else if (card.kind === "bridge") AIU.bridge(body, dashboard, card, result);
    else if (card.kind === "heatmap") body.append(AIU.heatmap(dashboard, card, { ...result, data }));
    else if (card.group_by[0].grain) {
      held = AIU.timeChart(body, dashboard, card, data, result);
      await held.ready;
    } else AIU.barChart(body, dashboard, card, data, result);
  }

  return {
    root,
    async update(state) {
      const data = await AIU.dataset(card.dataset);
      latest = { data, state, result: AIU.evaluate(card, data, state) };
      await draw();
    },
    end: () => held?.end?.(),
  };
};
