'use strict';
const run = JSON.parse(document.getElementById('results').textContent);
const compared = JSON.parse(document.getElementById('compared').textContent);
const OUTCOMES = ['failed', 'skipped', 'passed'];
const NEWS = {began_to_fail: 'failed', began_to_pass: 'passed', skip_changed: 'skipped', appeared: 'skipped', disappeared: 'skipped'};
const WORDS = {began_to_fail: 'began to fail', began_to_pass: 'began to pass', skip_changed: 'skipped otherwise', appeared: 'appeared', disappeared: 'disappeared'};
const GUESTS = 'guests';
const $ = id => document.getElementById(id);

/** An element; text becomes text, never markup. */
function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter(c => c !== undefined && c !== null && c !== false));
  return element;
}

const seconds = s => s < 10 ? s.toFixed(2) + ' s' : s < 120 ? s.toFixed(1) + ' s' : Math.round(s / 60) + ' min';
const millis = ms => ms < 1 ? Math.round(ms * 1000) + ' µs' : ms < 1000 ? Number(ms.toPrecision(3)) + ' ms' : (ms / 1000).toFixed(2) + ' s';
const number = n => Number.isInteger(n) ? n.toLocaleString('en') : String(Number(n.toPrecision(4)));
const median = all => { const s = [...all].sort((a, b) => a - b); return (s[(s.length - 1) >> 1] + s[s.length >> 1]) / 2; };
const family = name => name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : name;

function size(bytes) {
  for (const [unit, shift] of [['GiB', 30], ['MiB', 20], ['KiB', 10]]) {
    if (bytes >= 2 ** shift) return Number((bytes / 2 ** shift).toPrecision(3)) + ' ' + unit;
  }
  return bytes + ' B';
}

// ---- What there is: scenarios by columns -------------------------------------------------------

const settings = new Map(run.settings.map(s => [s.name, s]));
const columnOf = s => [s.topology, s.viommu, s.kernel].join('|');
const columns = [...new Map(run.settings.map(s => [columnOf(s), s])).entries()];
const rows = new Map();

function rowOf(name, does, expects) {
  if (!rows.has(name)) rows.set(name, {name, does, expects, cells: new Map()});
  return rows.get(name);
}

function cellOf(row, setting) {
  if (!row.cells.has(setting.name)) row.cells.set(setting.name, {setting, rounds: []});
  return row.cells.get(setting.name);
}

for (const result of run.results) {
  const setting = settings.get(result.setting);
  if (setting) cellOf(rowOf(result.scenario, result.does, result.expects), setting).rounds.push(result);
}
for (const setting of run.settings) {
  // Of one that is not over nobody knows.
  if (!setting.ended && !setting.problems.length) continue;
  cellOf(rowOf(GUESTS, 'boot guests and turn them off', 'all come up, and complain of nothing'), setting).rounds.push({
    scenario: GUESTS, setting: setting.name, round: 1, outcome: setting.problems.length ? 'failed' : 'passed',
    problems: setting.problems, text: setting.boots.length + ' booted', does: 'boot guests', expects: 'all is well with them',
    seconds: setting.boots.reduce((sum, b) => sum + b.seconds, 0), measures: [], routes: [], boots: setting.boots,
    evidence: {calls: [], hung: [], messages: []}, timeline: {events: [], dropped: 0}, logs: '', repeat: '',
  });
}

/** The worst of all rounds. */
const outcomeOf = cell => OUTCOMES.find(o => cell.rounds.some(r => r.outcome === o) && (o !== 'skipped' || cell.rounds.every(r => r.outcome === o))) || cell.rounds[0].outcome;

const reasons = [];
function reasonOf(text) {
  if (!reasons.includes(text)) reasons.push(text);
  return reasons.indexOf(text) + 1;
}

const news = new Map();
for (const change of compared ? compared.changes : []) news.set(change.scenario, change.kind.toLowerCase());

// ---- Header ------------------------------------------------------------------------------------

function showHead() {
  const count = outcome => run.results.filter(r => r.outcome === outcome).length;
  const troubled = run.settings.filter(s => s.problems.length).length;
  const missing = run.run.planned - run.results.length;
  const facts = [
    ['Command', h('code', {}, './peerbar ' + run.run.command.join(' '))],
    ['Kernel', run.kernels.map(k => (k.label ? k.label + ': ' : '') + 'Linux ' + (k.release || 'unknown')
      + (k.lacks.length ? ', lacks ' + k.lacks.join(', ') : '')).join('; ') || 'none came up'],
    ['Began', run.run.began.replace('T', ' ').replace('Z', ' UTC') + ', took ' + seconds(run.run.seconds)],
    ['Seed', run.run.seed + (run.run.rounds > 1 ? ', ' + run.run.rounds + ' rounds' : '')],
    ['Host', [run.run.host.name, run.run.host.processors + ' processors', run.run.host.kernel, run.run.host.jdk].join(', ')],
    ['Peerbar', run.run.version || 'unknown'],
  ];
  $('head').append(
    h('div', {class: 'title'}, h('h1', {}, 'Peerbar scenarios'),
      h('div', {class: 'totals'},
        OUTCOMES.map(o => h('button', {
          class: 'mark ' + (count(o) ? o : 'none'), type: 'button', 'data-total': o, 'aria-pressed': 'false', disabled: !count(o),
          title: 'Show only these, or all again', onclick: () => showOnly(o),
        }, count(o) + ' ' + o)),
        troubled > 0 && h('span', {class: 'mark failed'}, 'guests failed in ' + troubled + (troubled === 1 ? ' setting' : ' settings')))),
    h('dl', {class: 'facts card'}, facts.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])));
  if (missing > 0) {
    $('head').append(h('p', {class: 'warning'}, 'The run ended early: ' + missing + ' of ' + run.run.planned + ' not tried.'));
  }
}

function showComparison() {
  if (!compared) return;
  const open = (scenario, text) => h('button', {onclick: () => show(scenario)}, text);
  const list = (title, items) => items.length > 0 && [h('h3', {}, title + ': ' + items.length), h('ul', {}, items.map(i => h('li', {}, i)))];
  $('comparison').hidden = false;
  $('comparison').append(h('h2', {}, 'Compared'), h('div', {class: 'card'},
    h('p', {class: 'faint'}, 'With ' + compared.older + '.'),
    Object.keys(NEWS).map(kind => list(WORDS[kind], compared.changes.filter(c => c.kind.toLowerCase() === kind).map(c => [
      open(c.scenario, c.scenario), h('span', {class: 'faint'}, ' in ' + c.setting + ': '),
      c.after || 'not tried', c.before ? h('span', {class: 'faint'}, '; before: ' + c.before) : '']))),
    list('Changed by more than three times', compared.shifts.map(s => [
      open(s.scenario, s.scenario), h('span', {class: 'faint'}, ' in ' + s.setting + ': '),
      s.name + ' ' + number(s.after) + (s.unit && ' ' + s.unit), h('span', {class: 'faint'}, ', before ' + number(s.before) + (s.unit && ' ' + s.unit))])),
    !compared.changes.length && !compared.shifts.length && h('p', {}, 'Nothing changed.')));
}

// ---- Matrix ------------------------------------------------------------------------------------

function cellButton(row, cell) {
  const outcome = outcomeOf(cell);
  const failures = cell.rounds.filter(r => r.outcome === 'failed').length;
  const took = median(cell.rounds.map(r => r.seconds));
  const words = {
    passed: ['ok', h('small', {}, seconds(took))],
    failed: ['FAILED', h('small', {}, cell.rounds.length > 1 ? failures + ' of ' + cell.rounds.length : seconds(took))],
    skipped: ['skip', h('small', {}, outcome === 'skipped' ? '[' + reasonOf(cell.rounds[0].text) + ']' : '')],
  }[outcome];
  const s = cell.setting;
  const alike = [...row.cells.values()].filter(c => columnOf(c.setting) === columnOf(s)).length > 1;
  const title = outcome === 'skipped' ? cell.rounds[0].text
    : outcome === 'failed' ? (p => p.words + ': ' + p.text)(cell.rounds.find(r => r.outcome === 'failed').problems[0]) : cell.rounds[0].text;
  return h('button', {
    class: 'cell ' + outcome, type: 'button', title, 'aria-expanded': 'false', 'data-setting': s.name,
    onclick: () => toggle(row, s.name),
  }, words, alike && h('small', {}, [row.name === GUESTS && s.fixture, s.cpu, s.variant].filter(Boolean).join(' ')));
}

function showMatrix() {
  const table = $('matrix');
  table.style.setProperty('--columns', columns.length);
  table.append(h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, h('b', {}, 'Scenario')),
    columns.map(([, s]) => h('th', {scope: 'col'}, h('b', {}, s.topology), h('span', {}, s.viommu), s.kernel && h('span', {}, s.kernel))))));
  const body = h('tbody');
  const families = [...new Set([...rows.keys()].map(family))];
  for (const name of families) {
    const head = h('tr', {class: 'family', 'data-family': name}, h('th', {colspan: columns.length + 1, scope: 'rowgroup'}, name));
    body.append(head);
    for (const row of rows.values()) {
      if (family(row.name) !== name) continue;
      const cells = [...row.cells.values()];
      row.outcomes = new Set(cells.map(outcomeOf));
      row.haystack = [row.name, row.does, row.expects, cells.map(c => [c.setting.name, c.rounds.map(r => [r.text, r.problems.map(p => p.text), (r.subtests || []).map(t => t.name)])])].flat(Infinity).join(' ').toLowerCase();
      row.element = h('tr', {class: 'row' + (row.outcomes.has('failed') ? ' bad' : ''), 'data-scenario': row.name},
        h('th', {scope: 'row'}, h('button', {class: 'name', type: 'button', 'aria-expanded': 'false', onclick: () => toggle(row)},
          h('b', {}, row.name),
          news.has(row.name) && h('span', {class: 'news ' + NEWS[news.get(row.name)]}, WORDS[news.get(row.name)]),
          h('span', {class: 'sentence', title: row.does + ': ' + row.expects}, row.does + ': ' + row.expects))),
        columns.map(([key]) => h('td', {}, cells.filter(c => columnOf(c.setting) === key).map(c => cellButton(row, c)))));
      body.append(row.element);
    }
  }
  table.append(body);
  $('reasons').append(...reasons.map(reason => h('li', {}, reason)));
  $('family').append(h('option', {value: ''}, 'all'), ...families.map(f => h('option', {value: f}, f)));
  for (const outcome of OUTCOMES) {
    $('outcomes').append(h('label', {}, h('input', {type: 'checkbox', value: outcome, checked: true, onchange: filter}), outcome));
  }
}

// ---- Detail ------------------------------------------------------------------------------------

let opened = null;

function close() {
  if (!opened) return;
  opened.detail.remove();
  opened.row.element.querySelectorAll('[aria-expanded]').forEach(b => b.setAttribute('aria-expanded', 'false'));
  opened = null;
}

function toggle(row, setting) {
  const cells = [...row.cells.values()];
  const name = setting || cells.toSorted((a, b) => OUTCOMES.indexOf(outcomeOf(a)) - OUTCOMES.indexOf(outcomeOf(b)))[0].setting.name;
  const again = opened && opened.row === row && (!setting || opened.setting === setting);
  close();
  if (!again) {
    open(row, name);
    row.element.scrollIntoView({block: 'nearest'});
    if (opened.detail.getBoundingClientRect().bottom > innerHeight) row.element.scrollIntoView({block: 'start'});
  }
  remember();
}

function open(row, setting) {
  const cell = row.cells.get(setting);
  const detail = h('tr', {class: 'detail'}, h('td', {colspan: columns.length + 1}));
  row.element.after(detail);
  row.element.querySelector('.name').setAttribute('aria-expanded', 'true');
  row.element.querySelectorAll('.cell').forEach(b => b.setAttribute('aria-expanded', String(b.dataset.setting === setting)));
  opened = {row, setting, detail};
  const first = cell.rounds.find(r => r.outcome === 'failed') || cell.rounds[0];
  detail.firstChild.append(panel(cell, first));
}

/** Opens a scenario that a filter may hide. */
function show(name) {
  const row = rows.get(name);
  if (!row) return;
  $('text').value = '';
  $('family').value = '';
  $('outcomes').querySelectorAll('input').forEach(i => { i.checked = true; });
  filter();
  if (!opened || opened.row !== row) toggle(row);
  row.element.scrollIntoView({block: 'center'});
  row.element.querySelector('.name').focus({preventScroll: true});
}

function panel(cell, result) {
  const others = cell.rounds.length > 1 && h('label', {}, 'round ', h('select', {
    onchange: event => event.target.closest('.panel').replaceWith(panel(cell, cell.rounds[event.target.selectedIndex])),
  }, cell.rounds.map(r => h('option', {selected: r === result}, r.round + (r.outcome === 'passed' ? '' : ' ' + r.outcome)))));
  return h('div', {class: 'panel'},
    h('div', {class: 'where'}, h('span', {class: 'mark ' + result.outcome}, result.outcome), h('span', {class: 'mono'}, cell.setting.name),
      h('span', {class: 'faint'}, seconds(result.seconds)), others,
      result.logs && h('a', {href: result.logs}, 'logs')),
    expectation(result),
    result.problems.slice(1).map(p => h('div', {class: 'problem'}, h('span', {class: 'faint'}, p.words + ': '), h('pre', {}, p.text))),
    result.boots && boots(result.boots),
    routeList(result.routes),
    result.measures.length > 0 && [h('h3', {}, 'Recorded'), h('table', {class: 'measures'},
      result.measures.map(m => h('tr', {}, h('td', {}, m.name), h('td', {}, number(m.value) + (m.unit && ' ' + m.unit)))))],
    subtests(result.subtests || []),
    result.repeat && [h('h3', {}, 'Again, alone'), h('div', {class: 'command'}, h('pre', {}, result.repeat), copyButton(result.repeat))],
    evidence('Where calls hung in the guest’s kernel', result.evidence.hung, true),
    timeline(result.timeline),
    evidence('The agent’s last calls', result.evidence.calls),
    evidence('What the endpoints saw and did last', result.evidence.messages));
}

function subtests(tests) {
  if (!tests.length) return null;
  const counts = OUTCOMES.map(o => [o, tests.filter(t => t.outcome === o).length]).filter(([, n]) => n).map(([o, n]) => n + ' ' + o);
  return h('details', {open: tests.some(t => t.outcome === 'failed')}, h('summary', {}, 'Tests of the program: ' + counts.join(', ')),
    h('table', {class: 'subtests'}, tests.map(t => h('tr', {}, h('td', {}, h('span', {class: 'mark ' + t.outcome}, t.outcome)),
      h('td', {class: 'mono'}, t.name), h('td', {}, t.text && h('pre', {}, t.text))))));
}

function expectation(result) {
  const first = result.problems[0];
  const bad = result.outcome === 'failed';
  const saw = bad ? [first.words, h('pre', {class: 'saw'}, first.text)] : [{passed: 'saw', skipped: 'skipped, as'}[result.outcome], h('pre', {}, result.text)];
  return h('div', {class: 'expectation ' + (bad ? 'bad' : result.outcome === 'passed' ? 'good' : '')}, h('dl', {},
    [['tried', result.does], ['expected', result.expects], saw].map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])));
}

function boots(all) {
  return h('ul', {}, all.map(b => h('li', {}, 'guest ' + b.number + (b.failure ? ' did not boot: ' + b.failure : ' was up after ' + seconds(b.seconds)) + ' ',
    h('a', {href: b.logs}, 'logs'), b.complaints.map(c => h('pre', {class: 'faint'}, 'before any scenario, ' + c)))));
}

function copyButton(text) {
  return h('button', {type: 'button', onclick: async event => {
    const button = event.target;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'copied';
    } catch {
      getSelection().selectAllChildren(button.previousSibling);
    }
  }}, 'copy');
}

function evidence(title, lines, isOpen) {
  return lines.length > 0 && h('details', {open: isOpen}, h('summary', {}, title + ' (' + lines.length + ')'), h('pre', {}, lines.join('\n')));
}

// ---- Timeline ----------------------------------------------------------------------------------

const KINDS = {call: 'guest’s call', message: 'vfio-user message', transfer: 'DMA', interrupt: 'interrupt', reset: 'reset'};

function timeline({events, dropped}) {
  if (!events.length) return null;
  const lanes = [...new Set(events.map(e => e.lane))].sort((a, b) => (a !== 'guest') - (b !== 'guest') || (a < b ? -1 : 1));
  const list = h('tbody');
  const middle = dropped > 0 ? events.length >> 1 : -1;
  events.forEach((e, i) => {
    if (i === middle) list.append(h('tr', {class: 'gap'}, h('td', {colspan: lanes.length + 1}, number(dropped) + ' more are left out')));
    const times = e.times || 1;
    list.append(h('tr', {}, h('td', {class: 'at'}, (e.at || 0).toFixed(3)), lanes.map(lane => lane !== e.lane ? h('td') :
      h('td', {class: 'event ' + e.kind + (e.failed ? ' bad' : '')}, e.text,
        times > 1 && h('span', {class: 'times'}, '× ' + number(times)),
        (e.took || 0) >= 0.5 && h('span', {class: 'took'}, millis(e.took))))));
  });
  return h('details', {open: true}, h('summary', {}, 'What happened (' + events.length + (dropped > 0 ? ' of ' + number(events.length + dropped) : '') + ')'),
    h('div', {class: 'legend'}, Object.entries(KINDS).filter(([k]) => events.some(e => e.kind === k)).map(([k, words]) => h('span', {class: k}, h('i'), words))),
    overview(events, lanes),
    h('div', {class: 'lanes', tabindex: '0', role: 'region', 'aria-label': 'Timeline'}, h('table', {}, h('thead', {}, h('tr', {}, h('th', {class: 'at', scope: 'col'}, 'ms'), lanes.map(l => h('th', {scope: 'col'}, l)))), list)));
}

/** All lanes over the whole time, at a glance. */
function overview(events, lanes) {
  const left = 90, width = 1000, height = 16;
  const end = Math.max(...events.map(e => (e.at || 0) + (e.took || 0)), 0.001);
  const begin = Math.min(...events.map(e => e.at || 0), 0);
  const x = ms => left + (ms - begin) / (end - begin) * (width - left - 4);
  const picture = svg('svg', {class: 'overview', viewBox: '0 0 ' + width + ' ' + (lanes.length * height + 16), role: 'img', 'aria-label': 'Lanes over ' + millis(end)});
  lanes.forEach((lane, i) => {
    picture.append(svg('text', {x: 0, y: i * height + 12, class: 'small'}, lane), svg('line', {class: 'wire', x1: left, x2: width, y1: i * height + 9, y2: i * height + 9, 'stroke-width': 0.3}));
    for (const e of events) {
      if (e.lane === lane) {
        picture.append(svg('rect', {class: e.kind, style: 'fill:var(--kind)', x: x(e.at || 0), y: i * height + 3, height: 11, 'fill-opacity': e.times > 1 ? 0.45 : 0.85,
          width: Math.max(1.2, x((e.at || 0) + (e.took || 0)) - x(e.at || 0))}, svg('title', {}, e.text)));
      }
    }
  });
  picture.append(svg('text', {class: 'small', x: left, y: lanes.length * height + 13}, '0'),
    svg('text', {class: 'small', x: width - 4, y: lanes.length * height + 13, 'text-anchor': 'end'}, millis(end)));
  return picture;
}

// ---- Topologies --------------------------------------------------------------------------------

function routeList(routes) {
  return routes.length > 0 && [h('h3', {}, 'Peer-to-peer ways'), h('ul', {class: 'routes'}, routes.map(r =>
    h('li', {class: r.allowed ? 'ok' : 'refused'}, r.from + ' → ' + r.to + ', ' + r.path + ': ' + (r.allowed ? 'allowed' : 'refused'))))];
}

function showPlaces() {
  const pictured = run.settings.filter(s => s.machine.length);
  if (!pictured.length) return;
  const figures = new Map();
  for (const s of pictured) {
    const key = [s.topology, s.viommu, s.fixture].join(', ');
    if (!figures.has(key)) figures.set(key, {machine: s.machine, viommu: s.viommu, routes: new Map()});
    for (const r of run.results) {
      if (r.setting === s.name) r.routes.forEach(route => figures.get(key).routes.set(JSON.stringify(route), route));
    }
  }
  $('places').append(h('h2', {}, 'Topologies'), h('div', {class: 'figures'}, [...figures].map(([name, f]) => {
    const routes = [...f.routes.values()];
    return h('figure', {class: 'card'}, h('figcaption', {}, h('b', {}, name)), machine(f.machine, routes, name, f.viommu), routeList(routes));
  })));
}

/** The tree of buses, from the left to the right; routes between its leaves on the far right. */
const DRIVERS = {'pcie-root-port': 'root port', 'x3130-upstream': 'switch, upstream', 'xio3130-downstream': 'downstream port', 'pcie-pci-bridge': 'PCI bridge'};

function machine(devices, routes, name, viommu) {
  const W = 112, GAP = 18, H = 34, STEP = 46;
  // The agent's line to the host is no part of the picture.
  const children = bus => devices.filter(d => d.bus === bus && d.driver !== 'virtio-serial-pci');
  const places = new Map();
  let leaf = 0;
  function place(device, depth) {
    const below = device.id ? children(device.id) : [];
    const ys = below.map(d => place(d, depth + 1));
    const tall = device.bars && device.bars.length ? 0.45 : 0;
    const y = ys.length ? (Math.min(...ys) + Math.max(...ys)) / 2 : leaf + tall / 2;
    if (!ys.length) leaf += 1 + tall;
    places.set(device, {x: depth * (W + GAP), y: y * STEP + 4, below});
    return y;
  }
  const root = {id: 'pcie.0', driver: viommu, bars: []};
  place(root, 0);
  const all = [...places];
  const right = Math.max(...all.map(([, p]) => p.x)) + W;
  const picture = svg('svg', {width: right + (routes.length ? 90 : 10), height: leaf * STEP + 8, role: 'img', 'aria-label': 'Devices of ' + name});
  for (const [device, p] of all) {
    for (const d of p.below) {
      const q = places.get(d);
      picture.append(svg('path', {class: 'wire', d: 'M' + (p.x + W) + ' ' + (p.y + H / 2) + ' h' + GAP / 2 + ' V' + (q.y + H / 2) + ' h' + GAP / 2}));
    }
    const bars = device.bars.filter(b => b.memory).map(b => 'BAR' + b.index + ' ' + size(b.size)).join(', ');
    const rest = device.bars.filter(b => !b.memory).map(b => b.index).join(', ');
    const tall = device.bars.length ? 20 : 0;
    picture.append(svg('g', {},
      svg('title', {}, [device.driver, ...device.bars.map(b => 'BAR' + b.index + ': ' + size(b.size) + (b.memory ? ' of memory' : ' of registers'))].join('\n')),
      svg('rect', {class: 'box' + (device.endpoint ? ' endpoint' : ''), x: p.x + 0.5, y: p.y - tall / 2 + 0.5, width: W - 1, height: H + tall - 1, rx: 5}),
      svg('text', {x: p.x + 8, y: p.y - tall / 2 + 14}, (device.endpoint || device.id || device.driver) + (device.slot ? ' · slot ' + device.slot : '')),
      svg('text', {class: 'small', x: p.x + 8, y: p.y - tall / 2 + 28}, device.bars.length ? bars || 'no memory' : (DRIVERS[device.driver] || device.driver).slice(0, 18)),
      rest && svg('text', {class: 'small', x: p.x + 8, y: p.y - tall / 2 + 42}, 'registers: BAR' + rest)));
  }
  routes.forEach((route, i) => {
    const from = all.find(([d]) => d.id === route.from), to = all.find(([d]) => d.id === route.to);
    if (!from || !to) return;
    const y1 = from[1].y + H / 2 + 4, y2 = to[1].y + H / 2 - 4 , x = Math.max(from[1].x, to[1].x) + W, bend = x + 26 + (i % 5) * 13;
    const d = 'M' + (from[1].x + W) + ' ' + y1 + ' C' + bend + ' ' + y1 + ' ' + bend + ' ' + y2 + ' ' + (to[1].x + W + 5) + ' ' + y2;
    picture.append(svg('g', {}, svg('title', {}, route.from + ' → ' + route.to + ', ' + route.path + ': ' + (route.allowed ? 'allowed' : 'refused')),
      svg('path', {class: 'route ' + (route.allowed ? 'ok' : 'refused'), d}),
      svg('path', {class: 'route ' + (route.allowed ? 'ok' : 'refused'), style: 'stroke-dasharray:none', d: 'M' + (to[1].x + W + 11) + ' ' + (y2 - 5) + ' l-7 5 l7 5'})));
  });
  return picture;
}

// ---- Filter, and what the address says ---------------------------------------------------------

/** Only the scenarios that ended so; a second time, all. */
function showOnly(outcome) {
  const boxes = [...$('outcomes').querySelectorAll('input')];
  const alone = boxes.every(i => i.checked === (i.value === outcome));
  boxes.forEach(i => { i.checked = alone || i.value === outcome; });
  filter();
}

function filter() {
  const words = $('text').value.toLowerCase().split(/\s+/).filter(Boolean);
  const outcomes = [...$('outcomes').querySelectorAll('input:checked')].map(i => i.value);
  const wanted = $('family').value;
  let shown = 0;
  const families = new Set();
  for (const row of rows.values()) {
    const fits = words.every(w => row.haystack.includes(w)) && outcomes.some(o => row.outcomes.has(o)) && (!wanted || family(row.name) === wanted);
    row.element.hidden = !fits;
    if (fits) {
      shown++;
      families.add(family(row.name));
    } else if (opened && opened.row === row) {
      close();
    }
  }
  document.querySelectorAll('tr.family').forEach(f => { f.hidden = !families.has(f.dataset.family); });
  document.querySelectorAll('[data-total]').forEach(b => {
    b.setAttribute('aria-pressed', outcomes.length === 1 && outcomes[0] === b.dataset.total);
  });
  $('count').textContent = shown === rows.size ? shown + ' scenarios' : shown + ' of ' + rows.size + ' scenarios';
  remember();
}

let restoring = false;
let remembering = false;

/** Says in the address what is seen: once for all that one event changes. */
function remember() {
  if (restoring || remembering) return;
  remembering = true;
  queueMicrotask(() => {
    remembering = false;
    note();
  });
}

function note() {
  const state = new URLSearchParams();
  const outcomes = [...$('outcomes').querySelectorAll('input:checked')].map(i => i.value);
  if ($('text').value) state.set('q', $('text').value);
  if (outcomes.length < OUTCOMES.length) state.set('outcome', outcomes.join(','));
  if ($('family').value) state.set('family', $('family').value);
  if (opened) {
    state.set('open', opened.row.name);
    state.set('in', opened.setting);
  }
  history.replaceState(null, '', '#' + state);
}

function restore() {
  restoring = true;
  const state = new URLSearchParams(location.hash.slice(1));
  $('text').value = state.get('q') || '';
  $('family').value = state.get('family') || '';
  $('outcomes').querySelectorAll('input').forEach(i => { i.checked = !state.has('outcome') || state.get('outcome').split(',').includes(i.value); });
  close();
  filter();
  const row = rows.get(state.get('open'));
  if (row && !row.element.hidden) {
    open(row, row.cells.has(state.get('in')) ? state.get('in') : row.cells.keys().next().value);
    row.element.scrollIntoView({block: 'start'});
  }
  restoring = false;
}

function move(by) {
  const names = [...document.querySelectorAll('tr.row:not([hidden]) .name')];
  const row = document.activeElement.closest('tr.row, tr.detail');
  const at = row ? names.indexOf((row.matches('.detail') ? row.previousSibling : row).querySelector('.name')) : -1;
  const next = names[Math.max(0, Math.min(names.length - 1, at + by))];
  if (next) next.focus();
}

document.addEventListener('keydown', event => {
  const typing = event.target.matches('input[type=search], select');
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('.lanes, pre')) return;
  if (event.key === '/' && !typing) {
    $('text').focus();
    $('text').select();
  } else if (event.key === 'Escape' && typing) {
    $('text').value = '';
    filter();
    document.activeElement.blur();
  } else if (event.key === 'Escape' && opened) {
    const name = opened.row.element.querySelector('.name');
    close();
    remember();
    name.focus();
  } else if (['ArrowDown', 'ArrowUp'].includes(event.key) && event.target.matches('.name, .cell, #text')) {
    move(event.key === 'ArrowDown' ? 1 : -1);
  } else {
    return;
  }
  event.preventDefault();
});

showHead();
showComparison();
showMatrix();
showPlaces();
$('filter').addEventListener('submit', event => event.preventDefault());
$('text').addEventListener('input', filter);
$('family').addEventListener('change', filter);
window.addEventListener('hashchange', restore);
restore();
