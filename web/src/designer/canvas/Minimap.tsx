import { type PointerEvent, useEffect, useRef } from 'react';
import { words } from '@/text/language';
import { domainColor, paletteOf } from './colors';
import { useCanvas } from './context';
import { boxOfView } from './layer';
import classes from './Minimap.module.css';
import type { Scene } from './scene';
import { toneOf } from './status';
import type { ViewControl } from './useView';

const WIDTH = 190;
const HEIGHT = 120;
/** Fewer nodes are seen all at once anyway. */
const FEW = 8;

/** All of the level in small, with the part that is seen; a press or a drag goes there. */
export function Minimap({
  scene,
  dark,
  view,
}: {
  readonly scene: Scene;
  readonly dark: boolean;
  readonly view: ViewControl;
}) {
  const { statuses } = useCanvas();
  const picture = useRef<HTMLCanvasElement>(null);
  const window_ = useRef<HTMLDivElement>(null);
  const { bounds } = scene;
  const scale =
    Math.min(WIDTH / Math.max(1, bounds.right - bounds.left), HEIGHT / Math.max(1, bounds.bottom - bounds.top)) * 0.9;
  const left = WIDTH / 2 - ((bounds.left + bounds.right) / 2) * scale;
  const top = HEIGHT / 2 - ((bounds.top + bounds.bottom) / 2) * scale;

  useEffect(() => {
    const context = picture.current?.getContext('2d');
    if (!context) return;
    const palette = paletteOf(dark);
    let frame = 0;
    const paint = (ids: Iterable<string>) => {
      for (const id of ids) {
        const card = scene.cards.get(id);
        if (!card) continue;
        const tone = toneOf(statuses.of(id)?.status);
        context.fillStyle = tone === 'none' ? domainColor(card.domain, dark) : palette.tones[tone];
        context.fillRect(
          left + card.box.left * scale,
          top + card.box.top * scale,
          Math.max(1.5, card.width * scale),
          Math.max(1.5, card.height * scale),
        );
      }
    };
    // Drawn beside what is urgent: the canvas comes first.
    frame = requestAnimationFrame(() => {
      context.clearRect(0, 0, WIDTH, HEIGHT);
      paint(scene.cards.keys());
    });
    const unwatch = statuses.watch(paint);
    return () => {
      cancelAnimationFrame(frame);
      unwatch();
    };
  }, [scene, dark, statuses, left, top, scale]);

  useEffect(() => {
    const show = () => {
      const element = window_.current;
      if (!element) return;
      const box = boxOfView(view.now(), ...view.size());
      const [x, y] = [Math.max(0, left + box.left * scale), Math.max(0, top + box.top * scale)];
      const [right, bottom] = [Math.min(WIDTH, left + box.right * scale), Math.min(HEIGHT, top + box.bottom * scale)];
      element.style.transform = `translate(${x}px, ${y}px)`;
      element.style.width = `${Math.max(2, right - x)}px`;
      element.style.height = `${Math.max(2, bottom - y)}px`;
    };
    show();
    return view.watch(show);
  }, [view, left, top, scale]);

  if (scene.cards.size < FEW) return null;
  const go = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons !== 1) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const frame = event.currentTarget.getBoundingClientRect();
    const [x, y] = [(event.clientX - frame.left - left) / scale, (event.clientY - frame.top - top) / scale];
    const [width, height] = view.size();
    const { zoom } = view.now();
    view.set({ zoom, x: width / 2 - x * zoom, y: height / 2 - y * zoom });
  };
  return (
    <div
      className={classes.map}
      role="img"
      aria-label={words.canvas.minimap}
      data-overlay
      onPointerDown={go}
      onPointerMove={go}
    >
      <canvas ref={picture} width={WIDTH} height={HEIGHT} />
      <div ref={window_} className={classes.window} />
    </div>
  );
}
