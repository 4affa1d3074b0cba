// Texts that stand out less than 4.5 to 1 from what is behind them, by the formula of WCAG 2.
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  function read(colour) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  }

  function light([r, g, b]) {
    const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  }

  function behind(element) {
    for (let each = element; each; each = each.parentElement) {
      const colour = read(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  }

  const faint = [];
  for (const element of document.querySelectorAll("main *")) {
    const texts = [...element.childNodes].filter((each) => each.nodeType === Node.TEXT_NODE);
    const text = texts.map((each) => each.data.trim()).join("");
    if (!text || !element.getClientRects().length || element.closest("[disabled]")) continue;
    const style = getComputedStyle(element);
    const colour = read(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(colour), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return faint;
}
