import type { CSSProperties } from 'react';
import { domainColor } from './colors';
import classes from './TypeIcon.module.css';

interface Props {
  /** A path on a square of 24. */
  readonly icon: string;
  readonly domain: string;
  readonly dark: boolean;
  readonly size?: number;
}

/** The icon of a node type on the colour of its domain. */
export function TypeIcon({ icon, domain, dark, size = 18 }: Props) {
  return (
    <span
      className={classes.icon}
      style={{ '--domain': domainColor(domain, dark) } as CSSProperties}
      aria-hidden="true"
    >
      <svg viewBox="0 0 24 24" width={size} height={size} aria-hidden="true">
        <path d={icon || 'M5 5h14v14H5z'} />
      </svg>
    </span>
  );
}
