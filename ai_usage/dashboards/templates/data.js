// The data: from base64 to typed columns, and sums that are exact.
// Belongs here: decoding and exact integers. Not here: what a card makes of them.
// Money arrives as integers of 1e-9 USD (scale 9), counts as integers (scale 0). A Number holds integers exactly up to
// 2^53 (9,007,199 USD at scale 9), so sums run in Numbers below 2^52 and spill into BigInt: never in float dollars.

const SPILL = 2 ** 52;

async function unpack(id) {
  const text = document.getElementById(id).textContent.trim();
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function typed(column) {
  if (column.kind === "dict") return { ...column, codes: Int32Array.from(column.codes) };
  const values = new Float64Array(column.values.length);
  const big = new Map();
  column.values.forEach((value, row) => {
    if (value === null) values[row] = NaN;
    else if (typeof value === "number" && Math.abs(value) <= SPILL) values[row] = value;
    else { big.set(row, BigInt(value)); values[row] = Infinity; }
  });
  return { kind: "number", scale: column.scale, values, big };
}

// A column that is a part of another one: "0" NULL, "1" the other's value, "2" zero (see encode.py).
function partOf(column, other) {
  const values = new Float64Array(other.values.length);
  const big = new Map();
  for (let row = 0; row < values.length; row += 1) {
    const digit = column.mask.charCodeAt(row) - 48;
    values[row] = digit === 1 ? other.values[row] : digit === 2 ? 0 : NaN;
    if (values[row] === Infinity) big.set(row, other.big.get(row));
  }
  return { kind: "number", scale: other.scale, values, big };
}

const decoded = new Map();
AIU.page = () => unpack("page");
AIU.dataset = (index) => {
  if (!decoded.has(index)) {
    decoded.set(index, unpack(`data-${index}`).then((raw) => {
      const columns = {};
      for (const [name, column] of Object.entries(raw.columns)) {
        columns[name] = column.kind === "part" ? partOf(column, columns[column.of]) : typed(column);
      }
      return { index, rows: raw.rows, columns };
    }));
  }
  return decoded.get(index);
};

// One running sum per group; NULL when the group has no known value.
AIU.Sums = class {
  constructor(column) {
    this.column = column;
    this.low = [];
    this.high = new Map();
    this.seen = [];
  }

  add(group, row) {
    const value = this.column.values[row];
    if (Number.isNaN(value)) return;
    this.seen[group] = true;
    if (value === Infinity) this.spill(group, this.column.big.get(row));
    else {
      const sum = (this.low[group] ?? 0) + value;
      if (Math.abs(sum) > SPILL) { this.spill(group, BigInt(sum)); this.low[group] = 0; } else this.low[group] = sum;
    }
  }

  spill(group, value) { this.high.set(group, (this.high.get(group) ?? 0n) + value); }

  units(group) { return this.seen[group] ? (this.high.get(group) ?? 0n) + BigInt(this.low[group] ?? 0) : null; }
};

// A figure is what a reader sees: `value` for drawing, `exact` as decimal text for titles and CSV; null is unknown.
AIU.figure = (units, scale) => (units === null ? null : {
  units, scale, value: Number(units) / 10 ** scale, exact: decimal(units, scale),
});

// num/den as a figure with nine decimals, rounded half away from zero, from exact integers; none over zero or less. `of` says what was divided.
AIU.ratio = (num, numScale, den, denScale, per = 1) => {
  if (num === null || den === null || den <= 0n) return null;
  const top = num * BigInt(per) * 10n ** BigInt(9 + denScale);
  const bottom = den * 10n ** BigInt(numScale);
  const a = top < 0n ? -top : top;
  const of = `${decimal(num, numScale)} / ${decimal(den, denScale)}${per === 1 ? "" : ` × ${per.toLocaleString("en-US")}`}`;
  const terms = [AIU.figure(num, numScale), AIU.figure(den, denScale)];
  return { ...AIU.figure((top < 0n ? -1n : 1n) * ((2n * a + bottom) / (2n * bottom)), 9), of, terms };
};

function decimal(units, scale) {
  if (scale === 0) return units.toString();
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const fraction = digits.slice(-scale).replace(/0+$/, "").padEnd(2, "0");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -scale)}.${fraction}`;
}
