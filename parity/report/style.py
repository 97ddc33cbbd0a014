"""The report's style sheet, for light and dark screens of at least 360 pixels.

The colours are Okabe and Ito's, which colour-blind readers can tell apart. A failure also shows in
words and by its shape.
"""

CSS = """
:root {
  --page: #fff; --panel: #f6f7f9; --text: #1a1d21; --soft: #5b6470; --grid: #e1e5ea;
  --paddle: #0072b2; --torch: #e08a00; --truth: #c3c9d1; --third: #8e4a86; --fourth: #5b6470;
  --good: #007f5c; --bad: #c8320a; --good-page: #e5f5ef; --bad-page: #fdebe5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --panel: #1c2026; --text: #e8eaed; --soft: #9aa4b1; --grid: #2e353e;
    --paddle: #56b4e9; --torch: #f0a830; --truth: #4d5663; --third: #cc79a7; --fourth: #9aa4b1;
    --good: #2cc295; --bad: #ff7a50; --good-page: #12302a; --bad-page: #3a1d14;
  }
}
* { box-sizing: border-box; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem 1rem 3rem; max-width: 62rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
h1 { margin: 0; font-size: clamp(2rem, 8vw, 3.2rem); line-height: 1.1; letter-spacing: -.02em; }
h2 { margin: 3rem 0 .3rem; font-size: 1.35rem; letter-spacing: -.01em; }
h3 { margin: 0 0 .3rem; font-size: 1rem; }
p { margin: .3rem 0 .8rem; max-width: 46rem; }
header p, .soft, figcaption { color: var(--soft); }
.good h1 { color: var(--good); }
.bad h1, td.bad, b.bad { color: var(--bad); }
.failure {
  margin: 1rem 0; padding: .8rem 1rem; background: var(--bad-page); border-radius: .4rem;
  border-left: .3rem solid var(--bad); white-space: pre-wrap; overflow-wrap: anywhere;
  font: .85rem/1.6 ui-monospace, Menlo, Consolas, monospace;
}
.tiles { display: grid; gap: .7rem; margin: 1.2rem 0 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fit, minmax(9.2rem, 1fr)); }
.tiles li { padding: .7rem .9rem; background: var(--panel); border-radius: .5rem;
  font-size: .82rem; color: var(--soft); line-height: 1.35; }
.tiles b { display: block; font-size: 1.5rem; line-height: 1.25; color: var(--text); }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem),
  1fr)); }
figure { margin: .6rem 0 0; padding: .9rem 1rem .7rem; background: var(--panel);
  border-radius: .5rem; min-width: 0; }
figcaption { font-size: .82rem; line-height: 1.4; }
.unit { margin: 0; font-size: .78rem; color: var(--soft); }
.headline { font-size: 1.1rem; font-weight: 600; }
.absent { color: var(--soft); font-style: italic; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: .2rem 0; padding: 0;
  list-style: none; font-size: .82rem; }
.key { display: inline-block; width: 1.4rem; height: .22rem; margin-right: .45rem;
  border-radius: .2rem; vertical-align: middle; }
.key.truth { height: .55rem; background: var(--truth); } .key.paddle { background: var(--paddle); }
.key.torch { background: var(--torch); } .key.third { background: var(--third); }
.key.fourth { background: var(--fourth); } .key.pass { height: .7rem; background: var(--good); }
.key.fail { height: .7rem; background: var(--bad); }
svg { display: block; }
svg text { fill: var(--soft); font-size: 11px; }
.grid-line, .guide, .zero, .budget, .rule { stroke: var(--grid); stroke-width: 1; }
.zero { stroke: var(--soft); }
.guide { stroke: var(--soft); stroke-dasharray: 4 4; }
.budget { stroke: var(--text); stroke-width: 1.5; }
.curve { fill: none; stroke-linejoin: round; stroke-linecap: round; }
.curve.truth { stroke: var(--truth); } .dot.truth { fill: var(--truth); }
.curve.torch { stroke: var(--torch); } .dot.torch { fill: var(--torch); }
.curve.paddle { stroke: var(--paddle); } .dot.paddle { fill: var(--paddle); }
.curve.third { stroke: var(--third); } .dot.third { fill: var(--third); }
.curve.fourth { stroke: var(--fourth); } .dot.fourth { fill: var(--fourth); }
.bars .name, .bars .value { fill: var(--text); font-size: 12px; }
.pass .bar { fill: var(--good); }
.fail .bar, svg .fail .value { fill: var(--bad); }
svg .fail .value { font-weight: 700; }
.scroll { overflow-x: auto; margin: .6rem 0; border: 1px solid var(--grid); border-radius: .5rem; }
.scroll:focus-visible { outline: 2px solid var(--paddle); }
table { border-collapse: collapse; width: 100%; font-size: .82rem; line-height: 1.4; }
th, td { padding: .4rem .7rem; text-align: left; vertical-align: top; }
thead th { background: var(--panel); font-weight: 600; white-space: nowrap; }
tbody tr { border-top: 1px solid var(--grid); }
.number { text-align: right; white-space: nowrap; }
.wide { min-width: 13rem; }
.narrow { min-width: 9rem; }
small { color: var(--soft); }
details { margin: .8rem 0; }
summary { cursor: pointer; padding: .3rem 0; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; font-size: .88rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } }
"""
