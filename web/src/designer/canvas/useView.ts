/** Where the view is: kept outside of React, so that panning draws nothing again but what it must. */

import { useReactFlow, useStoreApi } from '@xyflow/react';
import { type RefObject, useEffect, useMemo, useRef } from 'react';
import type { CanvasView } from '@/actions/action';
import type { Point } from '@/graph/model';
import type { Box } from '@/graph/shape';
import type { View } from './layer';
import type { Scene } from './scene';

export const MAX_ZOOM = 2;
const MIN_ZOOM = 0.1;

/** The view of one canvas. */
export interface ViewControl {
  readonly canvas: CanvasView;
  readonly now: () => View;
  readonly size: () => readonly [width: number, height: number];
  /** Hear of each change of the view, before the next frame. */
  readonly watch: (hear: (view: View) => void) => () => void;
  readonly set: (view: View, animated?: boolean) => void;
  /** The first look: all of the level. */
  readonly begin: () => void;
  readonly toGraph: (x: number, y: number) => Point;
  /** The smallest zoom that makes sense: all of it fits. */
  readonly minZoom: () => number;
}

export function useView(root: RefObject<HTMLElement | null>, scene: RefObject<Scene | null>): ViewControl {
  const flow = useReactFlow();
  const store = useStoreApi();
  const hearers = useRef(new Set<(view: View) => void>());
  const control = useMemo((): ViewControl => {
    const now = (): View => {
      const [x, y, zoom] = store.getState().transform;
      return { x, y, zoom };
    };
    const size = (): readonly [number, number] => [root.current?.clientWidth ?? 0, root.current?.clientHeight ?? 0];
    const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    const set = (view: View, animated = false) => {
      void flow.setViewport(view, animated && !calm ? { duration: 160 } : undefined);
    };
    const toGraph = (x: number, y: number): Point => {
      const bounds = root.current?.getBoundingClientRect();
      const view = now();
      return [(x - (bounds?.left ?? 0) - view.x) / view.zoom, (y - (bounds?.top ?? 0) - view.y) / view.zoom];
    };
    const around = (box: Box, limit: number): View => {
      const [width, height] = size();
      const room = Math.min(60, width / 10);
      const zoom = Math.min(
        limit,
        (width - 2 * room) / Math.max(1, box.right - box.left),
        (height - 2 * room) / Math.max(1, box.bottom - box.top),
      );
      return {
        zoom,
        x: width / 2 - ((box.left + box.right) / 2) * zoom,
        y: height / 2 - ((box.top + box.bottom) / 2) * zoom,
      };
    };
    const zoomed = (zoom: number): void => {
      const [width, height] = size();
      const view = now();
      const next = Math.max(minZoom(), Math.min(MAX_ZOOM, zoom));
      const [x, y] = [(width / 2 - view.x) / view.zoom, (height / 2 - view.y) / view.zoom];
      set({ zoom: next, x: width / 2 - x * next, y: height / 2 - y * next }, true);
    };
    const minZoom = () => Math.min(MIN_ZOOM, scene.current ? around(scene.current.bounds, 1).zoom * 0.8 : 1);
    const canvas: CanvasView = {
      center: () => {
        const [width, height] = size();
        const view = now();
        return [(width / 2 - view.x) / view.zoom, (height / 2 - view.y) / view.zoom];
      },
      fit: (nodes) => {
        const drawn = scene.current;
        if (!drawn) return;
        if (!nodes) {
          set(around(drawn.bounds, 1), true);
          return;
        }
        const boxes = [...nodes].flatMap((id) => drawn.cards.get(id)?.box ?? []);
        if (!boxes.length) return;
        const box = {
          left: Math.min(...boxes.map((one) => one.left)),
          top: Math.min(...boxes.map((one) => one.top)),
          right: Math.max(...boxes.map((one) => one.right)),
          bottom: Math.max(...boxes.map((one) => one.bottom)),
        };
        set(around(box, 1), true);
      },
      zoomTo: zoomed,
      zoomBy: (factor) => zoomed(now().zoom * factor),
      reveal: (id) => {
        const box = scene.current?.cards.get(id)?.box;
        if (!box) return;
        const [width, height] = size();
        const view = now();
        const [left, right] = [box.left * view.zoom + view.x, box.right * view.zoom + view.x];
        const [top, bottom] = [box.top * view.zoom + view.y, box.bottom * view.zoom + view.y];
        const room = 40;
        if (left >= room && right <= width - room && top >= room && bottom <= height - room) return;
        set(
          {
            zoom: view.zoom,
            x: width / 2 - ((box.left + box.right) / 2) * view.zoom,
            y: height / 2 - ((box.top + box.bottom) / 2) * view.zoom,
          },
          true,
        );
      },
      focus: () => root.current?.focus({ preventScroll: true }),
    };
    const watch = (hear: (view: View) => void) => {
      hearers.current.add(hear);
      return () => {
        hearers.current.delete(hear);
      };
    };
    const begin = () => {
      if (scene.current?.cards.size) set(around(scene.current.bounds, 1));
    };
    return { begin, canvas, now, size, watch, set, toGraph, minZoom };
  }, [flow, store, root, scene]);

  useEffect(
    () =>
      store.subscribe((state, before) => {
        if (state.transform === before.transform) return;
        const [x, y, zoom] = state.transform;
        for (const hear of hearers.current) hear({ x, y, zoom });
      }),
    [store],
  );
  return control;
}
