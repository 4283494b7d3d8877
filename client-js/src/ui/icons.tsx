/** The icons of widget and console, drawn on a grid of 24. Decorative: the control that holds one carries the label. */
import type { ComponentChildren, FunctionComponent } from "preact";

interface IconProps {
  readonly size?: number;
}

function stroked(children: ComponentChildren): FunctionComponent<IconProps> {
  return ({ size = 20 }) => (
    <svg
      class="tw-icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

export const ChatIcon = stroked(
  <path d="M12 3.5c-5 0-9 3.4-9 7.7 0 2.4 1.3 4.5 3.3 5.9-.1 1.1-.6 2.2-1.5 3.1 1.8-.1 3.4-.8 4.6-1.7.8.2 1.7.3 2.6.3 5 0 9-3.4 9-7.6s-4-7.7-9-7.7Z" />,
);
export const ChevronDownIcon = stroked(<path d="m6 9.5 6 6 6-6" />);
export const BackIcon = stroked(<path d="m14.5 6-6 6 6 6" />);
export const ForwardIcon = stroked(<path d="m9.5 6 6 6-6 6" />);
export const CloseIcon = stroked(<path d="m6.5 6.5 11 11m0-11-11 11" />);
export const SmileIcon = stroked(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M8.5 14.2c.8 1.2 2 1.9 3.5 1.9s2.7-.7 3.5-1.9M9.2 9.7v.1m5.6-.1v.1" />
  </>,
);
export const ArrowUpIcon = stroked(<path d="M12 19V5.5m-6 5.8 6-6 6 6" />);
export const ArrowDownIcon = stroked(<path d="M12 5v13.5m-6-5.8 6 6 6-6" />);
export const ClockIcon = stroked(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.5V12l3 2" />
  </>,
);
export const TickIcon = stroked(<path d="m5 12.5 4.5 4.5L19 7.5" />);
export const TicksIcon = stroked(<path d="m1.5 12.7 4.3 4.3L14.5 7.5M11.5 16l1 1 9.5-9.5" />);
export const AlertIcon = stroked(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.8v5m0 3.2v.1" />
  </>,
);
export const RetryIcon = stroked(<path d="M19.5 12a7.5 7.5 0 1 1-2.3-5.4L19.5 9m0-4.5V9H15" />);
export const TrashIcon = stroked(<path d="M5 7h14M9.5 7V4.8h5V7m-7.8 0 .8 12h9l.8-12M10.2 10.8v5M13.8 10.8v5" />);
export const EditIcon = stroked(
  <path d="m4.5 19.5.9-4L16 4.9a1.8 1.8 0 0 1 2.6 0l.5.5a1.8 1.8 0 0 1 0 2.6L8.5 18.6l-4 .9Z" />,
);
export const NoteIcon = stroked(
  <path d="M5 5.5A1.5 1.5 0 0 1 6.5 4h11A1.5 1.5 0 0 1 19 5.5V14l-5 6H6.5A1.5 1.5 0 0 1 5 18.5v-13ZM14 20v-4.5a1.5 1.5 0 0 1 1.5-1.5H19M8.5 8.5h7m-7 3.5h4" />,
);
export const ListIcon = stroked(<path d="M8.5 6.5h11m-11 5.5h11m-11 5.5h11M4.5 6.5h.1M4.5 12h.1m-.1 5.5h.1" />);
export const PlusIcon = stroked(<path d="M12 5v14m-7-7h14" />);
export const SearchIcon = stroked(
  <>
    <circle cx="10.8" cy="10.8" r="6.3" />
    <path d="m15.5 15.5 4.5 4.5" />
  </>,
);
export const InboxIcon = stroked(
  <path d="M4 13.5 6.3 6a2 2 0 0 1 1.9-1.5h7.6A2 2 0 0 1 17.7 6L20 13.5m-16 0V18a1.5 1.5 0 0 0 1.5 1.5h13A1.5 1.5 0 0 0 20 18v-4.5m-16 0h4.5a3.5 3.5 0 0 0 7 0H20" />,
);
export const PersonIcon = stroked(
  <>
    <circle cx="12" cy="8.3" r="3.8" />
    <path d="M4.8 19.8c.7-3.5 3.6-5.5 7.2-5.5s6.5 2 7.2 5.5" />
  </>,
);
export const PersonAddIcon = stroked(
  <>
    <circle cx="10" cy="8.3" r="3.8" />
    <path d="M3 19.8c.7-3.5 3.5-5.5 7-5.5 1.5 0 2.9.4 4 1.1M18.5 15v6m-3-3h6" />
  </>,
);
export const PanelIcon = stroked(
  <path d="M5.5 4.5h13A1.5 1.5 0 0 1 20 6v12a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 18V6a1.5 1.5 0 0 1 1.5-1.5ZM14.5 4.5v15" />,
);
export const CheckCircleIcon = stroked(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="m8.5 12.3 2.4 2.4 4.8-5.1" />
  </>,
);
export const ReopenIcon = stroked(<path d="M4.5 12a7.5 7.5 0 1 0 2.3-5.4L4.5 9m0-4.5V9H9" />);
export const GlobeIcon = stroked(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M3.8 12h16.4M12 3.5c2.3 2.4 3.5 5.2 3.5 8.5s-1.2 6.1-3.5 8.5c-2.3-2.4-3.5-5.2-3.5-8.5s1.2-6.1 3.5-8.5Z" />
  </>,
);
export const LinkIcon = stroked(
  <path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1m2 3.7a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1" />,
);
export const MailIcon = stroked(
  <path d="M5.5 5.5h13A1.5 1.5 0 0 1 20 7v10a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17V7a1.5 1.5 0 0 1 1.5-1.5ZM4.5 7l7.5 6 7.5-6" />,
);
export const BoltIcon = stroked(<path d="M13 3.5 5.5 13.5h6l-1 7 8-10.5h-6l.5-6.5Z" />);
export const CopyIcon = stroked(
  <path d="M9.5 8.5h9A1.5 1.5 0 0 1 20 10v9a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 8 19v-9a1.5 1.5 0 0 1 1.5-1.5ZM16 8.5V5a1.5 1.5 0 0 0-1.5-1.5h-9A1.5 1.5 0 0 0 4 5v9a1.5 1.5 0 0 0 1.5 1.5H8" />,
);
export const KeyboardIcon = stroked(
  <path d="M4.5 6.5h15A1.5 1.5 0 0 1 21 8v8a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 16V8a1.5 1.5 0 0 1 1.5-1.5ZM7 10.2h.1m3.2 0h.1m3.2 0h.1m3.2 0h.1M8.5 14h7" />,
);
export const SoundIcon = stroked(
  <path d="M4 9.8v4.4h3.2l4.3 3.6V6.2L7.2 9.8H4Zm11.3-1.3a5 5 0 0 1 0 7m2.4-9.4a8.3 8.3 0 0 1 0 11.8" />,
);
export const BellIcon = stroked(
  <path d="M12 4a5.5 5.5 0 0 0-5.5 5.5c0 4-1.7 5.5-1.7 6.5h14.4c0-1-1.7-2.5-1.7-6.5A5.5 5.5 0 0 0 12 4Zm-2 15a2.1 2.1 0 0 0 4 0" />,
);
export const ThemeIcon = stroked(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 3.5v17a8.5 8.5 0 0 0 0-17Z" fill="currentColor" />
  </>,
);
export const SignOutIcon = stroked(
  <path d="M10 4.5H6.5A1.5 1.5 0 0 0 5 6v12a1.5 1.5 0 0 0 1.5 1.5H10M15 8l4 4-4 4m3.8-4H10" />,
);
export const MoreIcon = stroked(<path d="M6 12h.1m5.9 0h.1m5.9 0h.1" stroke-width="2.6" />);

const STAR = "m12 3.8 2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8L12 3.8Z";

export const StarIcon: FunctionComponent<IconProps & { readonly full: boolean }> = ({ size = 20, full }) => (
  <svg
    class="tw-icon"
    width={size}
    height={size}
    viewBox="0 0 24 24"
    fill={full ? "currentColor" : "none"}
    stroke="currentColor"
    stroke-width="1.5"
    stroke-linejoin="round"
    aria-hidden="true"
    focusable="false"
  >
    <path d={STAR} />
  </svg>
);
