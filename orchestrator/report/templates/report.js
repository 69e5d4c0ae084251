(() => {
  "use strict";
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const theme = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue("--" + name).trim();
  };
  const coloured = (trace, colour) => {
    const own = colour(trace.meta.colour);
    const copy = structuredClone(trace);
    if (copy.line) copy.line.color = own;
    if (copy.marker) {
      copy.marker.color = own;
      copy.marker.line = { width: 1, color: colour("paper") };
    }
    if (copy.error_y) copy.error_y.color = own;
    return copy;
  };
  const draw = () => {
    const colour = theme();
    for (const [id, plot] of Object.entries(plots)) {
      const box = document.getElementById(id);
      const narrow = box.clientWidth < 560;
      const axis = { color: colour("muted"), gridcolor: colour("rule"), zeroline: false, automargin: true };
      const layout = {
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { color: colour("ink"), size: narrow ? 11 : 12, family: getComputedStyle(document.body).fontFamily },
        margin: { l: 56, r: 12, t: 36, b: 48 },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: colour("ink") },
        hoverlabel: { bgcolor: colour("card"), bordercolor: colour("rule"), font: { color: colour("ink") } },
        showlegend: false,
        xaxis: { ...axis, ...plot.layout.xaxis },
        yaxis: { ...axis, ...plot.layout.yaxis },
      };
      const buttons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
      const options = { responsive: true, displaylogo: false, modeBarButtons: buttons };
      Plotly.react(box, plot.data.map((trace) => coloured(trace, colour)), layout, options);
    }
  };
  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      plots[button.dataset.plot].data[button.dataset.trace].visible = shown;
      draw();
    });
  }
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  matchMedia("print").addEventListener("change", draw);
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
})();
