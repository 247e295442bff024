/** A person's hand that counts: clicks and drags, keys and chords; text that both have to type is not counted. */

import type { Locator, Page } from '@playwright/test';

export class Hand {
  clicks = 0;
  keys = 0;
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  get all(): number {
    return this.clicks + this.keys;
  }

  /** Point at something; nothing is counted for it. */
  async hover(at: Locator): Promise<void> {
    await at.hover();
  }

  async click(at: Locator): Promise<void> {
    this.clicks++;
    await at.click();
  }

  /** Two clicks on the same place are counted as one. */
  async doubleClick(at: Locator): Promise<void> {
    this.clicks++;
    await at.dblclick();
  }

  /** Double click on a word of a text, which chooses that word. */
  async chooseWord(text: Locator, word: string): Promise<void> {
    this.clicks++;
    const [x, y] = await text.evaluate((element, wanted) => {
      const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const at = node.textContent?.indexOf(wanted) ?? -1;
        if (at < 0) continue;
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + wanted.length);
        const box = range.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2] as const;
      }
      throw new Error(`there is no ${wanted}`);
    }, word);
    await this.page.mouse.dblclick(x, y);
  }

  async drag(from: Locator, to: Locator): Promise<void> {
    this.clicks++;
    await from.hover();
    await this.page.mouse.down();
    // Both designers begin a drag only when the pointer has moved a little; meanwhile the goal itself may move.
    for (const offset of [5, 2, 0]) {
      const box = await to.boundingBox();
      if (!box) throw new Error('there is nothing to drop on');
      await this.page.mouse.move(box.x + box.width / 2 + offset, box.y + box.height / 2 + offset, { steps: 5 });
    }
    await this.page.mouse.up();
  }

  /** A key or a chord, such as `Enter` or `ControlOrMeta+c`. */
  async press(chord: string): Promise<void> {
    this.keys++;
    await this.page.keyboard.press(chord);
  }

  /** Text that has to be typed in either. */
  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text, { delay: 10 });
  }
}
