from alexnet_tf.training.history import history_columns


def test_the_columns_of_the_history():
    assert history_columns() == [
        "epoch",
        "step",
        "learning_rate",
        "train_loss",
        "train_top1_error",
        "validation_loss",
        "validation_top1_error",
        "validation_top5_error",
    ]
