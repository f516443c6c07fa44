export default {
  render({ model, el, signal }) {
    const line = scale(model);
    const ends = [0, 1].map((end) => {
      const input = element("input", { type: "range", min: 0, max: line.places, step: 1 });
      input.setAttribute("aria-label", end === 0 ? "from" : "to");
      input.addEventListener("input", () => {
        const pair = [...model.get("value")];
        pair[end] = line.value(Number(input.value));
        // The ends push one another.
        if (pair[0] > pair[1]) pair[1 - end] = pair[end];
        put(model, pair);
      });
      return input;
    });
    const output = element("output");
    const track = element("span", { className: "thalweg-track" }, ...ends);
    field(model, el, track, output);
    return follow(
      model,
      ["value"],
      () => {
        const pair = model.get("value");
        for (const end of [0, 1]) {
          const input = ends[end];
          if (line.value(Number(input.value)) !== pair[end]) input.value = line.place(pair[end]);
        }
        output.textContent = `${short(pair[0])} – ${short(pair[1])}`;
        track.style.setProperty("--from", `${line.place(pair[0]) / 10}%`);
        track.style.setProperty("--to", `${line.place(pair[1]) / 10}%`);
      },
      signal,
    );
  },
};
