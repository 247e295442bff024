/** Keys that wait for a dialog that is on its way, and are given to it in the order in which they were pressed. */

interface Surroundings<Key> {
  /** Call back when what has come has seen to its first look. */
  readonly later: (give: () => void) => void;
  /** Give a key to what has the keyboard now. */
  readonly give: (key: Key) => void;
}

export class HeldKeys<Key> {
  private held: Key[] = [];
  private awaited = false;
  private handing = false;

  constructor(private readonly surroundings: Surroundings<Key>) {}

  /** A dialog was asked for. */
  ask(): void {
    this.awaited = true;
  }

  /** There is none to wait for any more. */
  none(): void {
    this.awaited = false;
    if (!this.handing) this.held = [];
  }

  /** Whether a key that is pressed now has to wait: for the dialog, or until those before it were given. */
  waits(onCanvas: boolean): boolean {
    return this.handing || (this.awaited && onCanvas);
  }

  /** Whether a dialog is on its way, and could still be given up. */
  get waiting(): boolean {
    return this.awaited && !this.handing;
  }

  /** Keep a key that has to wait. */
  hold(key: Key): void {
    this.held.push(key);
  }

  /** The dialog has the keyboard. */
  come(): void {
    if (!this.awaited) return;
    this.awaited = false;
    if (!this.held.length || this.handing) return;
    this.handing = true;
    this.surroundings.later(() => this.giveAll());
  }

  private giveAll(): void {
    // A key may ask for the next dialog: those after it are meant for that one.
    while (this.held.length && !this.awaited) this.surroundings.give(this.held.shift() as Key);
    this.handing = false;
  }
}
