"""Images saved as JPEG and read again, as most images that a model is asked about were once."""

import tensorflow as tf


def resaved(images, qualities):
    """Return images as they are after they were saved as JPEG, with halved resolution of colours (4:2:0), and read.

    The pixels are those of libjpeg's exact cosine transform, which Pillow also uses, and so the same on every machine:
    the faster one, TensorFlow's default for reading, gives others.

    Args:
        images: (N, S, S, 3) uint8.
        qualities: int32 (N,), 1..100, or 0 for an image that stays as it is.

    Returns:
        (N, S, S, 3) uint8.
    """

    def one(image_and_quality):
        image, quality = image_and_quality
        saved = tf.raw_ops.EncodeJpegVariableQuality(images=image, quality=quality)
        return tf.io.decode_jpeg(saved, channels=3, dct_method="INTEGER_ACCURATE")

    positions = tf.where(qualities > 0)
    chosen = (tf.gather_nd(images, positions), tf.gather_nd(qualities, positions))
    changed = tf.map_fn(one, chosen, fn_output_signature=tf.TensorSpec(images.shape[1:], tf.uint8))
    return tf.tensor_scatter_nd_update(images, positions, changed)
