// The bridge: from what a figure was, over the parts of its change, to what it is. Belongs here: its bars and their scale. Not here: the parts.
// The first label of the column is where it starts, the last one is shown at zero too: that nothing is left unexplained is an answer.

AIU.bridge = (host, dashboard, card, result) => {
  const [{ column }] = card.group_by;
  const [measure] = card.measures;
  const labels = Object.keys(dashboard.labels[column] ?? {});
  const found = new Map(result.groups.map(({ keys, figures }) => [keys[0], figures[measure.key]]));
  const { scale } = result.total[measure.key];
  const zero = AIU.figure(0n, scale);
  const [start, ...others] = [...labels, ...[...found.keys()].filter((key) => !labels.includes(key))];
  const parts = others.filter((key) => (found.get(key)?.units ?? 0n) !== 0n || key === labels.at(-1));
  let at = (found.get(start) ?? zero).value;
  const steps = parts.map((key) => {
    const figure = found.get(key) ?? zero;
    const from = at;
    at += figure.value;
    return { label: AIU.label(dashboard, column, key), figure, from, to: at };
  });
  const level = (label, figure) => ({ label, figure, from: 0, to: figure.value, whole: true });
  const all = [level(AIU.label(dashboard, column, start), found.get(start) ?? zero), ...steps, level("Now", result.total[measure.key])];
  // Parts are small beside the whole: the scale then begins near them, and the two whole bars are cut.
  const ends = all.flatMap(({ from, to, whole }) => (whole ? [to] : [from, to]));
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const low = least - (most - least) * 0.15 > most * 0.25 ? least - (most - least) * 0.15 : Math.min(0, least);
  const span = most - low || 1;
  const place = (value) => Math.max(0, Math.min(100, ((value - low) / span) * 100));
  const days = ({ from, to }) => `${AIU.shortDay(from)} – ${AIU.shortDay(to)}`;
  host.append(
    AIU.el("p", { class: "unit-line", text: `USD, ${days(result.now)} beside ${days(result.other)}${low > 0 ? `; bars begin at ${AIU.format({ value: low }, measure.unit, "heat")}` : ""}` }),
    AIU.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": card.title },
      AIU.el("ul", { class: "steps" }, all.map(({ label, figure, from, to, whole }) => {
        const [left, right] = [place(Math.min(from, to)), place(Math.max(from, to))];
        const text = AIU.format(figure, measure.unit);
        return AIU.el("li", { class: whole ? "whole" : null, title: AIU.exact(figure, measure.unit) },
          AIU.el("span", { class: "bar-name", text: label }),
          AIU.el("span", { class: "track", "aria-hidden": "true" }, AIU.el("i", { style: {
            left: `${whole ? 0 : left}%`, width: `${right - (whole ? 0 : left)}%`, background: whole ? "var(--c8)" : figure.value > 0 ? "var(--c2)" : "var(--c1)",
          } })),
          AIU.el("span", { class: "bar-figure", text: whole || figure.value <= 0 ? text : `+${text}` }));
      }))),
  );
};
