from alexnet_tf.training.history import Epoch, best_epoch, history_columns


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


def test_of_equal_epochs_the_first_is_the_best():
    history = [
        Epoch(number, number, 0.1, 1.0, 0.5, 1.0, error, None) for number, error in enumerate([0.4, 0.2, 0.2], 1)
    ]
    assert best_epoch(history).epoch == 2
