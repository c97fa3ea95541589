/** Notices about the open image: each goes as soon as another image is open, or the image's state is another one. */

/** @import { ImageStatus, Store, Toast } from "../data/types.d.ts" */

/** @param {{store: Store, toast: Toast}} context */
export function createImageNotices({ store, toast }) {
  /** @type {{imageId: string, status: ImageStatus, close: () => void}[]} */
  let told = [];
  store.watch(["image"], ({ image }) => {
    const over = told.filter(({ imageId, status }) => imageId !== image?.id || status !== image.status);
    told = told.filter((one) => !over.includes(one));
    for (const { close } of over) close();
  });

  /** @param {string} imageId  of the open image @param {ImageStatus} status  that it is about to get @param {string} text */
  return (imageId, status, text) => {
    told = [...told, { imageId, status, close: toast(text, { stays: true }).close }];
  };
}
