/** Draws a component again only when one of its props is another object. May import preact. */
import { Component, type ComponentChildren, type FunctionComponent } from "preact";

export function memo<P extends object>(draw: (props: P) => ComponentChildren): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return !same(this.props, next);
    }
    override render(props: P): ComponentChildren {
      return draw(props);
    }
  }
  return Memo as unknown as FunctionComponent<P>;
}

function same(one: object, other: object): boolean {
  const [a, b] = [Object.entries(one), Object.keys(other)];
  return a.length === b.length && a.every(([key, value]) => value === (other as Record<string, unknown>)[key]);
}
