// How figures and values are written. Belongs here: Intl (en-US) and units. Not here: arithmetic.
// Unknown is an en dash, never 0. A value that rounds to zero but is not zero says so.

const NONE = "–";
const number = (options) => new Intl.NumberFormat("en-US", options);
const whole = number({ maximumFractionDigits: 0 });
const compact = number({ notation: "compact", maximumFractionDigits: 1 });
const compactLong = number({ notation: "compact", minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = number({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percentAxis = number({ style: "percent", maximumFractionDigits: 0 });
const dollars = (digits) => number({
  style: "currency", currency: "USD", minimumFractionDigits: digits, maximumFractionDigits: digits,
});
const usd0 = dollars(0);
const usd2 = dollars(2);
const usd4 = dollars(4);
const usdCompact = number({ style: "currency", currency: "USD", notation: "compact", maximumFractionDigits: 1 });
const usdHeat = number({ style: "currency", currency: "USD", notation: "compact", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const usdAxisSmall = number({ style: "currency", currency: "USD", maximumFractionDigits: 4 });

const UNIT_NAMES = {
  usd: "USD", count: "count", pct: "%", tokens: "tokens", lines: "lines", people: "people", requests: "requests",
  sessions: "sessions", commits: "commits", pull_requests: "pull requests", days: "days", rows: "rows",
  person_days: "person-days", usd_per_line: "USD per line", usd_per_commit: "USD per commit", usd_per_person: "USD per person",
  usd_per_day: "USD per person-day", usd_per_million_tokens: "USD per million tokens", date: "date", timestamp: "UTC",
};
AIU.unitName = (unit) => UNIT_NAMES[unit] ?? unit;
AIU.NONE = NONE;

// "Billed cost, USD"; a label that names its unit already stays as it is.
AIU.withUnit = ({ label, unit }, before = ", ", after = "", pct = "%") => {
  const name = unit === "pct" ? pct : AIU.unitName(unit);
  return label.toLowerCase().endsWith(name.toLowerCase()) || unit === "date" ? label : `${label}${before}${name}${after}`;
};
AIU.isMoney = (unit) => unit.startsWith("usd");

function small(figure, step, write) {
  const { value } = figure;
  if (value !== 0 && Math.abs(value) < step / 2) return `${value < 0 ? ">-" : "<"}${write(step)}`;
  return write(value);
}

// mode: cell (tables, tips), kpi (large), axis (shortest), heat (short, no cents from one dollar up)
AIU.format = (figure, unit, mode = "cell") => {
  if (figure === null || figure === undefined) return NONE;
  if (unit === "date") return AIU.day(figure.exact);
  if (unit === "timestamp") return AIU.moment(figure.exact);
  const { value } = figure;
  if (unit === "pct") return mode === "axis" ? percentAxis.format(value) : small(figure, 0.001, percent.format);
  if (unit === "usd_per_line") return mode === "axis" ? usdAxisSmall.format(value) : small(figure, 0.0001, usd4.format);
  if (AIU.isMoney(unit)) {
    if (mode === "axis") return Math.abs(value) >= 1000 ? usdCompact.format(value) : usdAxisSmall.format(value);
    if (mode === "heat" && Math.abs(value) >= 1) return Math.abs(value) >= 1000 ? usdHeat.format(value) : usd0.format(value);
    if (mode === "kpi" && Math.abs(value) >= 1e5) return usd0.format(value);
    return small(figure, 0.01, usd2.format);
  }
  if (mode === "axis" || (mode === "heat" && Math.abs(value) >= 1000)) return compact.format(value);
  if (Math.abs(value) >= (unit === "tokens" ? 1e6 : mode === "kpi" ? 1e7 : 1e9)) return compactLong.format(value);
  return whole.format(value);
};

AIU.exact = (figure, unit) => {
  if (!figure) return "unknown";
  if (unit === "date" || unit === "timestamp") return figure.exact;
  return `${figure.exact} ${unit === "pct" ? "(fraction)" : AIU.unitName(unit)}${figure.of ? ` = ${figure.of}` : ""}`;
};

const utc = (iso) => new Date(iso.length === 10 ? `${iso}T00:00:00Z` : iso);
const dates = (options) => new Intl.DateTimeFormat("en-US", { timeZone: "UTC", ...options });
const dayFormat = dates({ day: "numeric", month: "short", year: "numeric" });
const shortDay = dates({ day: "numeric", month: "short" });
const monthFormat = dates({ month: "short", year: "numeric" });
const momentFormat = dates({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
AIU.day = (iso) => (iso ? dayFormat.format(utc(iso)) : NONE);
AIU.shortDay = (iso) => shortDay.format(utc(iso));
AIU.moment = (iso) => (iso ? `${momentFormat.format(utc(iso))} UTC` : NONE);
AIU.plural = (n, one, many = `${one}s`) => `${whole.format(n)} ${n === 1 ? one : many}`;

AIU.bucketLabel = (iso, grain, short = false) => {
  if (iso === null) return NONE;
  if (grain === "month") return monthFormat.format(utc(iso));
  if (short) return shortDay.format(utc(iso));
  return grain === "week" ? `Week of ${dayFormat.format(utc(iso))}` : dayFormat.format(utc(iso));
};

// The words for a stored value; `labels` of the dashboard, else the value itself.
AIU.label = (dashboard, column, value) => (value === null ? NONE : dashboard.labels[column]?.[value] ?? value);
