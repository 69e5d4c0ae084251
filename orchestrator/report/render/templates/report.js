(() => {
  "use strict";
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const root = document.documentElement;
  const hidden = {};
  const chosen = {};
  for (const id of Object.keys(plots)) hidden[id] = new Set();

  // Plotly comes compressed, in base 85: see plot_library.py.
  const unpacked = async () => {
    const { textContent: text, dataset } = document.getElementById("library");
    const bytes = new DataView(new ArrayBuffer((text.length / 5) * 4));
    for (let at = 0; at < text.length; at += 5) {
      let word = 0;
      for (let digit = at; digit < at + 5; digit++) {
        const code = text.charCodeAt(digit);
        word = word * 85 + (code === 121 ? 60 : code) - 35;
      }
      bytes.setUint32((at / 5) * 4, word);
    }
    const stream = new Blob([bytes.buffer.slice(0, Number(dataset.size))]).stream();
    return new Response(stream.pipeThrough(new DecompressionStream("deflate"))).text();
  };
  const load = async () => {
    const script = document.createElement("script");
    script.textContent = await unpacked();
    document.head.append(script);
  };

  const theme = () => {
    const style = getComputedStyle(root);
    return (name) => style.getPropertyValue("--" + name).trim();
  };
  const faint = (colour, strength) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return `rgba(${r},${g},${b},${strength})`;
  };
  const less = (one, other) => (one === null || other === null ? null : one - other);

  // Labels of the frontier's points, by point: the name where it meets no marker, line or other label, and no bar
  // of a quality if possible; else the number. `width` and `height` are the pixels between the axes.
  const labels = (plot, view, order, named, width, height) => {
    const [[left, right], [low, high]] = [view.axis.range, plot.axis.range];
    const across = (x) => ((Math.log10(x) - left) / (right - left)) * width;
    const down = (y) => ((high - y) / (high - low)) * height;
    const [taken, bars] = [[], []];
    for (const [i, value] of view.x.entries()) {
      if (value === null) continue;
      const [x, y, radius] = [across(value), down(plot.y[i]), plot.size[i] / 2];
      taken.push([x - radius, y - radius, x + radius, y + radius]);
      if (plot.low[i] !== null) bars.push([x - 2, down(plot.high[i]), x + 2, down(plot.low[i])]);
    }
    const steps = view.line[0].map((x, i) => [across(x), down(view.line[1][i])]);
    for (const [i, [x, y]] of steps.slice(1).entries()) taken.push([steps[i][0], steps[i][1], x, steps[i][1]], [x, y, x, steps[i][1]]);
    const spread = (i, text, spot) => {
      const [x, y, radius, wide] = [across(view.x[i]), down(plot.y[i]), plot.size[i] / 2 + 1, text.length * 6.8];
      const [from, top] = [spot.endsWith("right") ? x + radius : x - radius - wide, spot.startsWith("top") ? y - radius - 15 : y + radius];
      return [from, top, from + wide, top + 15];
    };
    const free = ([x0, y0, x1, y1], all) => x0 >= 0 && x1 <= width && !all.some(([a, b, c, d]) => x0 < c && a < x1 && y0 < d && b < y1);
    const found = new Map();
    for (const [rank, i] of order.entries()) {
      const texts = [...(named ? [plot.name[i]] : []), String(rank + 1)];
      const spots = ["top left", "top right", "bottom right", "bottom left"];
      const ways = texts.flatMap((text) => [[...taken, ...bars], taken].flatMap((all) => spots.map((spot) => ({ text, spot, all }))));
      const way = ways.find(({ text, spot, all }) => free(spread(i, text, spot), all)) || { text: texts.at(-1), spot: spots[0] };
      taken.push(spread(i, way.text, way.spot));
      found.set(i, way);
    }
    return found;
  };

  // A frontier plot: its points stand once, each view says where they are on its cost axis.
  const cost = (plot, view, away, colour, box) => {
    const order = view.x.map((_, i) => i).filter((i) => view.frontier[i]);
    order.sort((i, j) => view.x[i] - view.x[j]);
    const named = box.clientWidth >= 560 && order.length <= 6;
    const label = labels(plot, view, order, named, box.clientWidth - 68, box.clientHeight - 84);
    const markers = (domain, on) => {
      const own = colour(plot.domains[domain].colour);
      const here = view.x
        .map((_, i) => i)
        .filter((i) => plot.domain[i] === domain && view.frontier[i] === on && view.x[i] !== null);
      const pick = (values) => here.map((i) => values[i]);
      const bars = { type: "data", symmetric: false, color: on ? own : faint(own, 0.5), thickness: 1, width: 3 };
      const spread = on && view.spread ? pick(view.spread) : null;
      return {
        type: "scatter",
        mode: on ? "markers+text" : "markers",
        visible: !away.has(domain) && here.length > 0,
        x: pick(view.x),
        y: pick(plot.y),
        text: here.map((i) => (on ? label.get(i).text : "")),
        textposition: here.map((i) => (on ? label.get(i).spot : "top left")),
        textfont: { color: colour("ink"), size: 12 },
        cliponaxis: !on,
        error_y: { ...bars, array: here.map((i) => less(plot.high[i], plot.y[i])), arrayminus: here.map((i) => less(plot.y[i], plot.low[i])) },
        error_x: spread ? { ...bars, color: faint(own, 0.5), array: spread.map((s) => s && s[1]), arrayminus: spread.map((s) => s && s[0]) } : undefined,
        marker: {
          symbol: pick(plot.symbol).map((name) => (on ? name : name + "-open")),
          opacity: 1,
          size: pick(plot.size),
          color: own,
          line: on ? { width: 1, color: colour("paper") } : { width: 2, color: own },
        },
        customdata: pick(plot.text),
        hovertemplate: "<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
      };
    };
    const line = {
      type: "scatter",
      mode: "lines",
      x: view.line[0],
      y: view.line[1],
      line: { shape: "hv", width: 1.5, dash: "dot", color: colour("ink") },
      hoverinfo: "skip",
    };
    const domains = plot.domains.map((_, i) => i);
    return {
      data: [...domains.map((d) => markers(d, 0)), line, ...domains.map((d) => markers(d, 1))],
      xaxis: { type: "log", title: { text: `${view.title}, log scale` }, ...view.axis },
      yaxis: { title: { text: plot.axis.title }, range: plot.axis.range, tickformat: ".2f" },
    };
  };

  // A plot of series over a number: ready but for its colours.
  const series = (plot, away, colour) => ({
    data: plot.data.map((trace) => {
      const own = colour(trace.meta.colour);
      const copy = structuredClone(trace);
      copy.visible = !away.has(trace.meta.series);
      if (trace.meta.band) {
        copy.fillcolor = faint(own, 0.14);
        copy.line.color = "rgba(0,0,0,0)";
        return copy;
      }
      copy.line.color = own;
      copy.marker = { ...copy.marker, color: own, line: { width: 1, color: colour("paper") } };
      if (copy.error_y) copy.error_y.color = own;
      return copy;
    }),
    xaxis: plot.layout.xaxis,
    yaxis: plot.layout.yaxis,
  });

  // On a phone only as many labels as have room stand at the ticks: every second, third …
  const sparse = (axis, width) => {
    if (!axis.ticktext) return axis;
    const letters = Math.max(...axis.ticktext.map((text) => text.length));
    const step = Math.ceil((axis.ticktext.length * (letters * 7.5 + 12)) / Math.max(width - 70, 1));
    return { ...axis, tickangle: 0, ticktext: axis.ticktext.map((text, i) => (i % step ? "" : text)) };
  };

  // A title that is longer than its axis is high goes on in a further line.
  const upright = (title, height) =>
    title.text.length * 8.5 < height - 90 ? title : { ...title, text: title.text.replace(/(.{12,}?) /g, "$1<br>") };

  // What guessing scores: a line, or a note at the edge that it is beyond.
  const guessing = (floor, range, colour) => {
    if (!floor) return {};
    const [low, high] = range;
    const at = Math.min(Math.max(floor.value, low), high);
    const beyond = floor.value < low ? " ↓" : floor.value > high ? " ↑" : "";
    const look = { color: colour("muted"), width: 1.5, dash: "dash" };
    return {
      shapes: beyond ? [] : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: at, y1: at, line: look, layer: "below" }],
      annotations: [{ xref: "paper", x: 1, y: at, xanchor: "right", yanchor: floor.value > high ? "top" : "bottom", showarrow: false, text: floor.label + beyond, font: { color: colour("muted"), size: 12 } }],
    };
  };

  const draw = (id) => {
    if (!window.Plotly) return; // it is drawn once that is there
    const box = document.getElementById(id);
    const plot = plots[id];
    const colour = theme();
    const drawn = plot.views
      ? cost(plot, plot.views[chosen[id] || 0], hidden[id], colour, box)
      : series(plot, hidden[id], colour);
    const axis = { color: colour("muted"), gridcolor: colour("rule"), zeroline: false, automargin: true };
    const xaxis = { ...axis, ...sparse(drawn.xaxis, box.clientWidth) };
    const yaxis = { ...axis, ...drawn.yaxis, title: upright(drawn.yaxis.title, box.clientHeight) };
    const floor = guessing(plot.guessing, yaxis.range, colour);
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("ink"), size: box.clientWidth < 560 ? 12 : 13, family: getComputedStyle(document.body).fontFamily },
      margin: { l: 56, r: 12, t: 36, b: 48 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: colour("ink") },
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("rule"), font: { color: colour("ink") } },
      showlegend: false,
      hovermode: "closest",
      xaxis,
      yaxis,
      ...floor,
    };
    // Paper has no window whose size could change: there the box says how large the plot is.
    if ("paper" in root.dataset) Object.assign(layout, { width: box.clientWidth, height: box.clientHeight });
    const buttons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
    Plotly.react(box, drawn.data, layout, { responsive: true, displaylogo: false, modeBarButtons: buttons });
  };
  const drawAll = () => Object.keys(plots).forEach(draw);
  const refuse = () => {
    for (const id of Object.keys(plots)) document.getElementById(id).textContent = "This browser cannot draw the chart. The table below has its figures.";
  };

  for (const button of document.querySelectorAll("button[data-plot]")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      const away = hidden[button.dataset.plot];
      button.setAttribute("aria-pressed", String(shown));
      if (shown) away.delete(Number(button.dataset.series));
      else away.add(Number(button.dataset.series));
      draw(button.dataset.plot);
    });
  }
  for (const choice of document.querySelectorAll("select[data-plot]")) {
    choice.addEventListener("change", () => {
      chosen[choice.dataset.plot] = Number(choice.value);
      draw(choice.dataset.plot);
    });
  }
  window.drawn = load().then(drawAll, refuse);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

  // On paper: light colours, the width of a page, and what is folded away unfolded, unless it is very long.
  let folded = [];
  addEventListener("beforeprint", () => {
    root.dataset.paper = "";
    folded = [...document.querySelectorAll("details:not([open]):not([data-long])")];
    for (const part of folded) part.open = true;
    drawAll();
  });
  addEventListener("afterprint", () => {
    delete root.dataset.paper;
    for (const part of folded) part.open = false;
    drawAll();
  });
})();
