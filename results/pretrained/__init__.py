"""Trained models that come with the package, one folder each; installed as `alexnet_tf.pretrained`."""
