// The filter bar, and the state behind it, which lives in the URL hash so that a view can be shared or bookmarked.
// Belongs here: reading and writing the hash, the widgets. Not here: what a filter does to rows.
// Hash: #<dashboard>[/<card>]?date=last_30_days|2026-01-01..2026-01-31&department=A&department=B. Absent means the default.

AIU.readHash = (page) => {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  const [key, card = null] = path.split("/");
  const dashboard = page.dashboards.find((d) => d.key === key) ?? page.dashboards[0];
  return { dashboard, card, params: new URLSearchParams(query) };
};

AIU.stateOf = (dashboard, params, through) => {
  const chosen = {};
  let period = "all";
  let range = { from: null, to: null };
  for (const filter of dashboard.filters) {
    if (filter.type === "multi_select") chosen[filter.key] = [...new Set(params.getAll(filter.key))];
    else {
      const text = params.get(filter.key) ?? "";
      const [from, to] = text.split("..");
      if (text.includes("..") && [from, to].every((d) => d === "" || AIU.isDay(d))) {
        period = "custom";
        range = { from: from || null, to: to || null };
      } else {
        period = AIU.PRESETS.some(([key]) => key === text) ? text : filter.default;
        range = AIU.presetRange(period, through);
      }
    }
  }
  return { chosen, period, range };
};

AIU.writeHash = (page, dashboard, state, params) => {
  const next = new URLSearchParams(params);
  for (const filter of dashboard.filters) {
    next.delete(filter.key);
    if (filter.type === "multi_select") for (const value of state.chosen[filter.key]) next.append(filter.key, value);
    else if (state.period === "custom") next.set(filter.key, `${state.range.from ?? ""}..${state.range.to ?? ""}`);
    else if (state.period !== filter.default) next.set(filter.key, state.period);
  }
  const query = next.toString();
  return `#${dashboard.key}${query ? `?${query}` : ""}`;
};

// The values a filter can take: what its columns hold in this dashboard's data, and what the reader's link asks for.
AIU.options = async (dashboard, key, chosen) => {
  const found = new Map();
  for (const card of dashboard.cards) {
    const column = card.filters?.[key];
    if (!column) continue;
    const data = await AIU.dataset(card.dataset);
    for (const value of data.columns[column].values) if (value !== card.unset?.[key]) found.set(value, AIU.label(dashboard, column, value));
  }
  for (const value of chosen) if (!found.has(value)) found.set(value, `${value} (not in this data)`);
  return [...found].sort((a, b) => a[1].localeCompare(b[1], "en"));
};

function dateFilter(filter, state, apply) {
  const select = AIU.el("select", { "aria-label": filter.label, "data-filter": filter.key });
  for (const [key, label] of [...AIU.PRESETS, ["custom", "Custom dates"]]) {
    select.append(AIU.el("option", { value: key, text: label, selected: key === state.period }));
  }
  const input = (side, label) => AIU.el("input", {
    type: "date", "aria-label": `${filter.label}: ${label}`, "data-side": side, value: state.range[side] ?? "",
    onchange: (event) => {
      const range = { ...state.range, [side]: event.target.value || null };
      const turned = range.from && range.to && range.from > range.to;
      apply({ ...state, period: "custom", range: turned ? { from: range.to, to: range.from } : range });
    },
  });
  select.addEventListener("change", () => apply(select.value === "custom"
    ? { ...state, period: "custom" }
    : { ...state, period: select.value, range: AIU.presetRange(select.value, AIU.through) }));
  return AIU.el("div", { class: "filter period", role: "group", "aria-label": filter.label },
    AIU.el("span", { class: "filter-label", text: filter.label }), select,
    input("from", "first day"), AIU.el("span", { class: "dash", text: "to" }), input("to", "last day"));
}

function multiFilter(filter, options, state, apply) {
  const chosen = new Set(state.chosen[filter.key]);
  const words = () => {
    if (!chosen.size) return "All";
    const names = options.filter(([value]) => chosen.has(value)).map(([, label]) => label);
    return names.length === 1 ? names[0] : `${names.length} chosen`;
  };
  const panelId = `filter-${filter.key}`;
  const current = AIU.el("span", { class: "filter-value", text: words() });
  const button = AIU.el("button", {
    type: "button", class: chosen.size ? "filter-button on" : "filter-button", "aria-expanded": "false",
    "aria-controls": panelId, "data-filter": filter.key,
  }, AIU.el("span", { class: "filter-label", text: filter.label }), current, AIU.icon("down"));
  const search = AIU.el("input", { type: "search", placeholder: "Search", "aria-label": `Search ${filter.label}` });
  const list = AIU.el("ul", { class: "options" });
  const none = AIU.el("p", { class: "hint", text: "Nothing matches.", hidden: true });
  const items = options.map(([value, label]) => {
    const box = AIU.el("input", { type: "checkbox", checked: chosen.has(value), value });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(value); else chosen.delete(value);
      current.textContent = words();
      button.classList.toggle("on", chosen.size > 0);
      apply({ ...state, chosen: { ...state.chosen, [filter.key]: [...chosen] } }, true);
    });
    const item = AIU.el("li", {}, AIU.el("label", {}, box, AIU.el("span", { text: label })));
    list.append(item);
    return { item, box, text: `${label} ${value}`.toLowerCase() };
  });
  search.addEventListener("input", () => {
    const words_ = search.value.toLowerCase();
    for (const one of items) one.item.hidden = !one.text.includes(words_);
    none.hidden = items.some((one) => !one.item.hidden);
  });
  const clear = AIU.el("button", {
    type: "button", class: "quiet", text: "Clear",
    onclick: () => { apply({ ...state, chosen: { ...state.chosen, [filter.key]: [] } }); },
  });
  const panel = AIU.el("div", { class: "panel", id: panelId, role: "group", "aria-label": filter.label, hidden: true },
    items.length > 8 ? search : null, list, none, clear);
  const root = AIU.el("div", { class: "filter multi" }, button, panel);
  const open = (yes) => { panel.hidden = !yes; button.setAttribute("aria-expanded", String(yes)); };
  button.addEventListener("click", () => { open(panel.hidden); if (!panel.hidden) panel.querySelector("input")?.focus(); });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) { open(false); button.focus(); event.stopPropagation(); }
  });
  root.addEventListener("focusout", (event) => { if (event.relatedTarget && !root.contains(event.relatedTarget)) open(false); });
  document.addEventListener("pointerdown", (event) => { if (!root.contains(event.target)) open(false); }, { signal: AIU.barLife.signal });
  return root;
}

// `apply(state, keep)`: keep says that the bar itself still stands (a panel is open) and must not be drawn again.
AIU.filterBar = async (dashboard, state, apply) => {
  AIU.barLife?.abort();
  AIU.barLife = new AbortController();
  const live = { ...state };
  const merged = (next, keep) => {
    // Several panels may be used without a redraw: each changes only its own part of the newest state.
    for (const filter of dashboard.filters) {
      if (filter.type === "multi_select" && next.chosen[filter.key] !== state.chosen[filter.key]) {
        live.chosen = { ...live.chosen, [filter.key]: next.chosen[filter.key] };
      }
    }
    if (next.period !== state.period || next.range !== state.range) { live.period = next.period; live.range = next.range; }
    apply({ ...live }, keep);
  };
  const widgets = [];
  for (const filter of dashboard.filters) {
    if (filter.type === "date_range") widgets.push(dateFilter(filter, state, merged));
    else widgets.push(multiFilter(filter, await AIU.options(dashboard, filter.key, state.chosen[filter.key]), state, merged));
  }
  const chosen = Object.fromEntries(dashboard.filters.filter((f) => f.type === "multi_select").map((f) => [f.key, []]));
  const period = dashboard.filters.find((f) => f.type === "date_range")?.default ?? "all";
  widgets.push(AIU.el("button", {
    type: "button", class: "quiet reset", text: "Reset",
    onclick: () => apply({ chosen, period, range: AIU.presetRange(period, AIU.through) }),
  }));
  return widgets;
};

// One sentence: every filter of the page, for paper; with a card only those that act on it, for its file.
AIU.filterWords = (dashboard, state, card = null) => {
  const parts = dashboard.filters.filter((filter) => !card || filter.key in (card.filters ?? {})).map((filter) => {
    if (filter.type === "date_range") {
      const { from, to } = state.range;
      return `${filter.label}: ${from || to ? `${AIU.day(from ?? "") } to ${AIU.day(to ?? "")}` : "all dates"}`;
    }
    const chosen = state.chosen[filter.key];
    const column = dashboard.cards.find((c) => c.filters?.[filter.key])?.filters[filter.key];
    return `${filter.label}: ${chosen.length ? chosen.map((v) => AIU.label(dashboard, column, v)).join(", ") : "all"}`;
  });
  return parts.join(" · ");
};
